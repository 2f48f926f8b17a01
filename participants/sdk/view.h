// How domain code sees its data: keys and values, no database. Keys are ordered bytewise; the services build them as
// "table/id/...", with ids that hold no '/'.
#ifndef TUTTI_PARTICIPANTS_SDK_VIEW_H_
#define TUTTI_PARTICIPANTS_SDK_VIEW_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace tutti::participant {

class ReadView {
 public:
  // Sees keys in order; false ends the scan.
  using Visitor = std::function<bool(absl::string_view key, absl::string_view value)>;

  virtual ~ReadView() = default;
  virtual absl::StatusOr<std::optional<std::string>> Get(absl::string_view key) const = 0;
  // Keys that start with `prefix`, from `from` on (empty: from the first).
  virtual absl::Status Scan(absl::string_view prefix, absl::string_view from, const Visitor& visit) const = 0;
};

// Reads see the view's own writes.
class WriteView : public ReadView {
 public:
  virtual void Put(absl::string_view key, absl::string_view value) = 0;
};

// Message is any protobuf message; DATA_LOSS when the stored bytes are not one.
template <typename Message>
absl::StatusOr<std::optional<Message>> GetMessage(const ReadView& view, absl::string_view key) {
  absl::StatusOr<std::optional<std::string>> bytes = view.Get(key);
  if (!bytes.ok()) return bytes.status();
  if (!bytes->has_value()) return std::optional<Message>();
  Message message;
  if (!message.ParseFromString(**bytes)) return absl::DataLossError(absl::StrCat("the record at ", key, " is damaged"));
  return std::optional<Message>(std::move(message));
}

template <typename Message>
void PutMessage(WriteView& view, absl::string_view key, const Message& message) {
  view.Put(key, message.SerializeAsString());
}

}  // namespace tutti::participant

#endif  // TUTTI_PARTICIPANTS_SDK_VIEW_H_
