// Reading, written once for both stores, over an ordered view of the columns.
#ifndef TUTTI_ORCHESTRATOR_STORE_VIEW_H_
#define TUTTI_ORCHESTRATOR_STORE_VIEW_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "orchestrator/store/layout.h"

namespace tutti::store {

// Walks keys in ascending order. What key() and value() give lives until Next.
class Walk {
 public:
  virtual ~Walk() = default;
  virtual bool Valid() const = 0;  // false at the end and after an error; then status() tells which
  virtual absl::string_view key() const = 0;
  virtual absl::string_view value() const = 0;
  virtual void Next() = 0;
  // To the first key of the range that is not before this one.
  virtual void Seek(absl::string_view key) = 0;
  virtual absl::Status status() const = 0;
};

// One consistent state of all columns. Not thread-safe.
class View {
 public:
  virtual ~View() = default;
  // Shows the value, which lives only as long as the call. False: there is none, and nothing was shown.
  virtual absl::StatusOr<bool> Show(Column column, absl::string_view key,
                                    const std::function<void(absl::string_view value)>& look) const = 0;
  // Keys in [begin, end); an empty end is no end.
  virtual std::unique_ptr<Walk> Range(Column column, std::string begin, std::string end) const = 0;
};

// One record, whole or without its payloads: input, output, replies, requests and their metadata, which are neither
// looked at nor copied.
enum class Extent { kWhole, kHeader };
absl::StatusOr<storage::v1::SagaRecord> ReadSaga(const View& view, absl::string_view saga_id,
                                                 Extent extent = Extent::kWhole);

// The stored bytes of one. DATA_LOSS says only why it cannot be read.
absl::StatusOr<storage::v1::SagaRecord> ParseSaga(absl::string_view bytes, absl::string_view saga_id, Extent extent);

// As SagaReader promises them.
absl::StatusOr<std::string> ReadRaw(const View& view, absl::string_view saga_id);
absl::StatusOr<std::vector<v1::HistoryEvent>> ReadHistory(const View& view, absl::string_view saga_id,
                                                          int64_t from_sequence, int limit);
absl::StatusOr<ListPage> ReadPage(const View& view, const ListQuery& query);
absl::StatusOr<EndedPage> ReadEnded(const View& view, const EndedQuery& query);
absl::Status ReadActive(const View& view, uint32_t first_slot, uint32_t end_slot, const RecordVisitor& visitor,
                        const UnreadableVisitor& unreadable);
absl::StatusOr<std::vector<storage::v1::DefinitionRecord>> ReadDefinitions(const View& view);
// One of them.
absl::StatusOr<storage::v1::DefinitionRecord> ParseDefinition(absl::string_view key, absl::string_view value);

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_VIEW_H_
