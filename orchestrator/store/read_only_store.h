// A store on disk as it lies there, for those who only look: nothing in the folder is made, changed or removed.
#ifndef TUTTI_ORCHESTRATOR_STORE_READ_ONLY_STORE_H_
#define TUTTI_ORCHESTRATOR_STORE_READ_ONLY_STORE_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "orchestrator/store/open_database.h"

namespace tutti::store {

// Not thread-safe. What the log holds and no table yet is replayed into memory.
class ReadOnlyStore {
 public:
  // FAILED_PRECONDITION: another process has it open, the folder is no store of Tutti's, or a newer version wrote it.
  // DATA_LOSS: it is damaged so that it cannot be opened.
  static absl::StatusOr<std::unique_ptr<ReadOnlyStore>> Open(const std::string& path);
  ~ReadOnlyStore();
  ReadOnlyStore(const ReadOnlyStore&) = delete;
  ReadOnlyStore& operator=(const ReadOnlyStore&) = delete;

  const View& view() const { return *view_; }
  // DATA_LOSS: something that was acknowledged is not in it, or nobody can tell any more.
  const absl::Status& loss() const { return loss_; }

 private:
  ReadOnlyStore() = default;
  absl::Status OpenAt(const std::string& path);

  OpenDatabase database_;
  std::unique_ptr<RocksDbView> view_;
  absl::Status loss_;
};

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_READ_ONLY_STORE_H_
