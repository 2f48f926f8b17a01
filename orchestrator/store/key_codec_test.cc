#include "orchestrator/store/key_codec.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "common/limits.h"
#include "gtest/gtest.h"

namespace tutti::store {
namespace {

TEST(KeyCodecTest, HashIsTheDocumentedOne) {
  EXPECT_EQ(Fnv1a64(""), 0xcbf29ce484222325u);
  EXPECT_EQ(Fnv1a64("a"), 0xaf63dc4c8601ec8cu);
  EXPECT_EQ(Fnv1a64("foobar"), 0x85944171f73967e8u);
}

// A change here would lose every saga on disk.
TEST(KeyCodecTest, SlotsAreFixedForEver) {
  // 85944171f73967e8 ^ 85944171 = 85944171 72ad2699; ^ (>>12) 0008594417172ad2 ends in ...699 ^ ...ad2 = c4b.
  EXPECT_EQ(SlotOf("foobar"), 0xc4bu);
}

TEST(KeyCodecTest, SlotsAreEvenlyUsed) {
  std::vector<int> counts(limits::kSlots);
  for (int i = 0; i < 64 * static_cast<int>(limits::kSlots); ++i) ++counts[SlotOf("order-" + std::to_string(i))];
  EXPECT_GT(*std::min_element(counts.begin(), counts.end()), 16);
  EXPECT_LT(*std::max_element(counts.begin(), counts.end()), 160);
}

TEST(KeyCodecTest, HistoryKeysSortBySequenceAndStayWithTheirSaga) {
  EXPECT_LT(HistoryKey("a", 1), HistoryKey("a", 2));
  EXPECT_LT(HistoryKey("a", 255), HistoryKey("a", 256));
  const std::string end = PrefixEnd(SagaKey("a") + '\0');
  EXPECT_LT(HistoryKey("a", std::numeric_limits<int64_t>::max()), end);
  EXPECT_GT(SagaKey("a1").substr(2), end.substr(2));  // whatever their slots: behind, not inside
}

TEST(KeyCodecTest, PositionsSortNewestFirst) {
  const auto position = [](int64_t ms, const std::string& id) {
    std::string bytes;
    AppendPosition(ms, id, &bytes);
    return bytes;
  };
  EXPECT_LT(position(2, "a"), position(1, "a"));
  EXPECT_LT(position(256, "a"), position(255, "a"));
  EXPECT_LT(position(0, "a"), position(-1, "a"));
  EXPECT_LT(position(1, "a"), position(1, "b"));
  const auto parsed = ParsePosition(position(1234567, "saga"));
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->started_ms, 1234567);
  EXPECT_EQ(parsed->saga_id, "saga");
  EXPECT_FALSE(ParsePosition("short").has_value());
}

TEST(KeyCodecTest, LabelsDoNotRunIntoEachOther) {
  EXPECT_NE(LabelIndexPrefix("ab", "c"), LabelIndexPrefix("a", "bc"));
  const std::string zero(1, '\0');
  EXPECT_NE(LabelIndexPrefix("a" + zero, "b"), LabelIndexPrefix("a", zero + "b"));
  EXPECT_NE(LabelIndexPrefix("a", "b").find("a"), std::string::npos);
}

TEST(KeyCodecTest, IndexKeysSayWhatTheyAreBy) {
  const auto by = [](std::string prefix) {
    AppendPosition(1234, "saga", &prefix);
    const auto entry = ParseIndexKey(prefix);
    EXPECT_TRUE(entry.has_value() && entry->position.started_ms == 1234 && entry->position.saga_id == "saga");
    return entry.has_value() ? entry->by : "";
  };
  EXPECT_EQ(by(TimeIndexPrefix()), "time");
  EXPECT_EQ(by(ParkedIndexPrefix()), "parked");
  EXPECT_EQ(by(StateIndexPrefix(v1::SAGA_STATE_COMPENSATED)), "state 4");
  EXPECT_EQ(by(DefinitionIndexPrefix("book")), "definition book");
  const std::string zero(1, '\0');
  EXPECT_EQ(by(LabelIndexPrefix("a" + zero, zero + "b")), "label a" + zero + " = " + zero + "b");
  for (const char* key : {"", "t", "tshort", "s", "dbook", "lkey", "x12345678saga"}) {
    EXPECT_FALSE(ParseIndexKey(key).has_value()) << key;
  }
}

TEST(KeyCodecTest, PrefixEndIsTheNextPrefix) {
  EXPECT_EQ(PrefixEnd("ab"), "ac");
  EXPECT_EQ(PrefixEnd("a\xff\xff"), "b");
  EXPECT_EQ(PrefixEnd("\xff"), "");
}

TEST(KeyCodecTest, TheLastSlotHasAnEnd) {
  EXPECT_LT(SlotPrefix(limits::kSlots - 1), SlotPrefix(limits::kSlots));
}

}  // namespace
}  // namespace tutti::store
