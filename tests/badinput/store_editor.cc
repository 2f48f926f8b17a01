// Damages a store in ways that need its own keys and records. For tests only.
//   store_editor STORE_DIR DAMAGE [ID]
// Without an ID, the damage is done to every record of the column; with one, to those whose key ends in it.
#include <cstdio>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "orchestrator/store/rocksdb_testing.h"
#include "tutti/storage/v1/record.pb.h"

namespace {

using tutti::storage::v1::DefinitionRecord;
using tutti::storage::v1::SagaRecord;

// What becomes of one value; false deletes it.
using Edit = std::function<bool(std::string* value)>;

struct Damage {
  std::string column;
  Edit edit;
};

template <typename Record>
Edit EditRecord(std::function<void(Record*)> change) {
  return [change](std::string* value) {
    Record record;
    if (!record.ParseFromString(*value)) return false;
    change(&record);
    record.SerializeToString(value);
    return true;
  };
}

bool Remove(std::string*) {
  return false;
}

bool Garble(std::string* value) {
  value->assign("\xff\xff\xff not a record");
  return true;
}

// Unreadable, and done twice it is undone.
bool Invert(std::string* value) {
  for (char& byte : *value) byte = static_cast<char>(~byte);
  return true;
}

const std::map<std::string, Damage>& Damages() {
  static const std::map<std::string, Damage> damages = {
      {"newer-saga", {"saga", EditRecord<SagaRecord>([](SagaRecord* r) { r->set_version(1000); })}},
      {"garbled-saga", {"saga", Garble}},
      {"inverted-saga", {"saga", Invert}},
      {"missing-saga", {"saga", Remove}},
      {"saga-without-steps", {"saga", EditRecord<SagaRecord>([](SagaRecord* r) { r->clear_steps(); })}},
      {"saga-of-another-name", {"saga", EditRecord<SagaRecord>([](SagaRecord* r) { r->set_saga_id("other"); })}},
      {"newer-definition", {"definition", EditRecord<DefinitionRecord>([](auto* r) { r->set_version(1000); })}},
      {"garbled-definition", {"definition", Garble}},
      {"missing-definition", {"definition", Remove}},
      {"missing-descriptors", {"definition", EditRecord<DefinitionRecord>([](auto* r) { r->clear_descriptors(); })}},
      {"one-descriptor-less", {"definition", EditRecord<DefinitionRecord>([](auto* r) {
                                 r->mutable_descriptors()->mutable_file()->RemoveLast();
                               })}},
      {"edited-source", {"definition", EditRecord<DefinitionRecord>([](auto* r) { r->set_source("name: other"); })}},
  };
  return damages;
}

int Run(const std::string& path, const Damage& damage, const std::string& id) {
  int edited = 0;
  const auto edit = [&](rocksdb::DB* db, rocksdb::ColumnFamilyHandle* handle) {
    std::map<std::string, std::string> entries;
    const std::unique_ptr<rocksdb::Iterator> it(db->NewIterator(rocksdb::ReadOptions(), handle));
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      if (it->key().ToString().ends_with(id)) entries[it->key().ToString()] = it->value().ToString();
    }
    for (auto& [key, value] : entries) {
      const auto status = damage.edit(&value) ? db->Put(rocksdb::WriteOptions(), handle, key, value)
                                              : db->Delete(rocksdb::WriteOptions(), handle, key);
      edited += status.ok() ? 1 : 0;
    }
  };
  if (!tutti::store::EditAsRocksDb(path, damage.column, edit)) return 1;
  std::printf("%d records of %s edited\n", edited, damage.column.c_str());
  return edited > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto damage = argc == 3 || argc == 4 ? Damages().find(argv[2]) : Damages().end();
  if (damage == Damages().end()) {
    std::fprintf(stderr, "usage: store_editor STORE_DIR DAMAGE [ID]\n");
    return 2;
  }
  return Run(argv[1], damage->second, argc == 4 ? argv[3] : "");
}
