// All columns in memory, in the order of their keys: what the stores of tests and simulators keep.
#ifndef TUTTI_ORCHESTRATOR_STORE_TABLES_H_
#define TUTTI_ORCHESTRATOR_STORE_TABLES_H_

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "orchestrator/store/layout.h"
#include "orchestrator/store/view.h"

namespace tutti::store {

// Not thread-safe.
class Tables {
 public:
  using Table = std::map<std::string, std::string, std::less<>>;

  void Apply(const Changes& changes);

  Table& operator[](Column column) { return columns_[static_cast<size_t>(column)]; }
  const Table& operator[](Column column) const { return columns_[static_cast<size_t>(column)]; }

 private:
  std::array<Table, kColumnNames.size()> columns_;
};

// The tables must outlive it, and stay as they are for as long.
class TablesView final : public View {
 public:
  explicit TablesView(const Tables* tables) : tables_(*tables) {}

  absl::StatusOr<bool> Show(Column column, absl::string_view key,
                            const std::function<void(absl::string_view value)>& look) const override;
  std::unique_ptr<Walk> Range(Column column, std::string begin, std::string end) const override;

 private:
  const Tables& tables_;
};

}  // namespace tutti::store

#endif  // TUTTI_ORCHESTRATOR_STORE_TABLES_H_
