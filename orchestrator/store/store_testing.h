// What the store's tests share: small records, commits that wait, folders that vanish.
#ifndef TUTTI_ORCHESTRATOR_STORE_STORE_TESTING_H_
#define TUTTI_ORCHESTRATOR_STORE_STORE_TESTING_H_

#include <filesystem>
#include <fstream>
#include <future>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "common/ids.h"
#include "gtest/gtest.h"
#include "orchestrator/store/saga_store.h"

namespace tutti::store {

inline SagaWrite NewSaga(const std::string& id, int64_t started_ms = 1000, const std::string& definition = "book") {
  SagaWrite write;
  write.record.set_version(1);
  write.record.set_saga_id(id);
  write.record.set_definition(definition);
  write.record.set_state(v1::SAGA_STATE_RUNNING);
  write.record.set_started_ms(started_ms);
  write.record.set_last_sequence(1);
  write.record.add_steps()->set_name("charge");
  write.history.emplace_back().set_sequence(1);
  write.history.back().set_type(v1::EVENT_TYPE_SAGA_STARTED);
  return write;
}

// The next write of the same saga, one history event on.
inline SagaWrite NextWrite(const SagaWrite& before) {
  SagaWrite write;
  write.record = before.record;
  bool parked = false;
  for (const auto& step : before.record.steps()) parked = parked || step.has_parking();
  write.previous = SagaWrite::Indexed{before.record.state(), parked};
  write.record.set_last_sequence(before.record.last_sequence() + 1);
  write.history.emplace_back().set_sequence(write.record.last_sequence());
  return write;
}

template <typename... Writes>
WriteSet SetOf(Writes... writes) {
  WriteSet set;
  (set.sagas.push_back(std::move(writes)), ...);
  return set;
}

// Commits and waits.
inline CommitResult CommitNow(SagaStore* store, WriteSet set) {
  auto done = std::make_shared<std::promise<CommitResult>>();
  auto result = done->get_future();
  store->Commit(std::move(set), [done](CommitResult r, const absl::Status&) { done->set_value(r); });
  if (result.wait_for(std::chrono::seconds(30)) != std::future_status::ready) {
    ADD_FAILURE() << "the commit never ended";
    return CommitResult::kUnknown;
  }
  return result.get();
}

class TemporaryFolder {
 public:
  TemporaryFolder() : path_(std::filesystem::temp_directory_path() / ("tutti-store-" + RandomHex128())) {}
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  const std::filesystem::path path_;
};

inline std::vector<std::string> IdsOf(const std::vector<storage::v1::SagaRecord>& records) {
  std::vector<std::string> ids;
  for (const auto& record : records) ids.push_back(record.saga_id());
  return ids;
}

using FileContents = std::map<std::string, std::string>;  // by name

// What a folder holds, but for what RocksDB tells of its doings.
inline FileContents FolderContent(const std::filesystem::path& folder) {
  FileContents files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename();
    if (name == "LOCK" || absl::StartsWith(name, "LOG")) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    files[name].assign(std::istreambuf_iterator<char>(file), {});
  }
  return files;
}

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_STORE_TESTING_H_
