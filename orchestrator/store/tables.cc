#include "orchestrator/store/tables.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace tutti::store {
namespace {

std::string_view ToStd(absl::string_view text) {
  return {text.data(), text.size()};
}

class TableWalk final : public Walk {
 public:
  TableWalk(const Tables::Table* table, const std::string& begin, const std::string& end)
      : table_(*table),
        at_(table_.lower_bound(begin)),
        end_(end.empty() ? table_.end() : table_.lower_bound(std::max(begin, end))) {}

  bool Valid() const override { return at_ != end_; }
  absl::string_view key() const override { return at_->first; }
  absl::string_view value() const override { return at_->second; }
  void Next() override { ++at_; }
  void Seek(absl::string_view key) override {
    at_ = table_.lower_bound(ToStd(key));
    if (end_ != table_.end() && (at_ == table_.end() || at_->first > end_->first)) at_ = end_;
  }
  absl::Status status() const override { return absl::OkStatus(); }

 private:
  const Tables::Table& table_;
  Tables::Table::const_iterator at_;
  const Tables::Table::const_iterator end_;
};

}  // namespace

void Tables::Apply(const Changes& changes) {
  changes.ForEach([this](Column column, bool is_delete, absl::string_view key, absl::string_view value) {
    Table& table = (*this)[column];
    if (is_delete) {
      table.erase(std::string(key));
    } else {
      table[std::string(key)] = std::string(value);
    }
  });
}

absl::StatusOr<bool> TablesView::Show(Column column, absl::string_view key,
                                      const std::function<void(absl::string_view value)>& look) const {
  const auto found = tables_[column].find(ToStd(key));
  if (found == tables_[column].end()) return false;
  look(found->second);
  return true;
}

std::unique_ptr<Walk> TablesView::Range(Column column, std::string begin, std::string end) const {
  return std::make_unique<TableWalk>(&tables_[column], begin, end);
}

}  // namespace tutti::store
