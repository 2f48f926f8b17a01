// Every kind of store behind one fixture.
#ifndef TUTTI_ORCHESTRATOR_STORE_STORE_BACKENDS_H_
#define TUTTI_ORCHESTRATOR_STORE_STORE_BACKENDS_H_

#include <memory>
#include <string>
#include <vector>

#include "common/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "orchestrator/store/audit.h"
#include "orchestrator/store/memory_store.h"
#include "orchestrator/store/read_only_store.h"
#include "orchestrator/store/rocksdb_store.h"
#include "orchestrator/store/store_testing.h"

namespace tutti::store {

class Backend {
 public:
  virtual ~Backend() = default;
  virtual SagaStore* store() = 0;
  virtual const SagaReader* reader() = 0;
  virtual void Reopen() = 0;
  // What does not fit together in it.
  virtual std::vector<std::string> Flaws() = 0;
};

inline std::vector<std::string> FlawsOf(const View& view) {
  std::vector<std::string> flaws;
  Audit(view, nullptr, [&](const Flaw& flaw) { flaws.push_back(flaw.where + " " + flaw.what); });
  return flaws;
}

class MemoryBackend final : public Backend {
 public:
  explicit MemoryBackend(bool inline_done) : inline_done_(inline_done) {
    store_ = MemoryStore().Reopen({inline_done_});
  }
  SagaStore* store() override { return store_.get(); }
  const SagaReader* reader() override { return store_.get(); }
  void Reopen() override { store_ = store_->Reopen({inline_done_}); }
  std::vector<std::string> Flaws() override {
    std::vector<std::string> flaws;
    store_->Edit([&](Tables* tables) { flaws = FlawsOf(TablesView(tables)); });
    return flaws;
  }

 private:
  const bool inline_done_;
  std::unique_ptr<MemoryStore> store_;
};

class RocksDbBackend final : public Backend {
 public:
  RocksDbBackend() { Open(); }
  SagaStore* store() override { return store_.get(); }
  const SagaReader* reader() override { return store_.get(); }
  void Reopen() override {
    store_.reset();
    Open();
  }
  std::vector<std::string> Flaws() override {
    store_.reset();
    const auto store = ReadOnlyStore::Open(folder_.path());
    return store.ok() ? FlawsOf((*store)->view()) : std::vector<std::string>{store.status().ToString()};
  }

 private:
  void Open() {
    RocksDbStoreOptions options;
    options.path = folder_.path();
    auto store = RocksDbStore::Open(options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  TemporaryFolder folder_;
  std::unique_ptr<RocksDbStore> store_;
};

inline std::unique_ptr<Backend> MakeBackend(const std::string& name) {
  if (name == "RocksDb") return std::make_unique<RocksDbBackend>();
  return std::make_unique<MemoryBackend>(/*inline_done=*/name == "MemoryInline");
}

// Whatever a test commits, in the end every index, the active sagas and the history must fit the records.
class SagaStoreTest : public testing::TestWithParam<const char*> {
 protected:
  void TearDown() override { EXPECT_THAT(backend_->Flaws(), flaws_); }

  CommitResult Commit(WriteSet set) { return CommitNow(backend_->store(), std::move(set)); }
  const SagaReader& reader() { return *backend_->reader(); }

  std::vector<std::string> List(const ListQuery& query) {
    const auto page = reader().ListSagas(query);
    EXPECT_TRUE(page.ok()) << page.status();
    return page.ok() ? IdsOf(page->sagas) : std::vector<std::string>();
  }
  std::vector<std::string> ListByState(v1::SagaState state) {
    ListQuery query;
    query.state = state;
    return List(query);
  }
  std::vector<std::string> Active(uint32_t first_slot = 0, uint32_t end_slot = limits::kSlots) {
    std::vector<std::string> ids;
    const auto visit = [&](const storage::v1::SagaRecord& record) {
      ids.push_back(record.saga_id());
      return absl::OkStatus();
    };
    const auto status = reader().ForEachActive(first_slot, end_slot, visit,
                                               [](const UnreadableRecord& record) { ADD_FAILURE() << record.error; });
    EXPECT_TRUE(status.ok()) << status;
    return ids;
  }

  const std::unique_ptr<Backend> backend_ = MakeBackend(GetParam());
  testing::Matcher<std::vector<std::string>> flaws_ = testing::IsEmpty();  // in the end
};

inline SagaWrite Parked(SagaWrite write) {
  write.record.mutable_steps(0)->mutable_parking()->set_since_ms(1);
  return write;
}

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_STORE_BACKENDS_H_
