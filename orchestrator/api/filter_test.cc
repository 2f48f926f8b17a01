#include "orchestrator/api/filter.h"

#include <string>

#include "absl/time/time.h"
#include "common/errors.h"
#include "common/limits.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tutti::api {
namespace {

using testing::HasSubstr;
using testing::Pair;
using testing::StartsWith;
using testing::UnorderedElementsAre;

store::ListQuery Parsed(const std::string& filter) {
  auto query = ParseFilter(filter);
  EXPECT_TRUE(query.ok()) << filter << ": " << query.status();
  return query.ok() ? *std::move(query) : store::ListQuery();
}

TEST(FilterTest, AnEmptyFilterAsksForEverything) {
  for (const char* filter : {"", "  \t\n"}) {
    const store::ListQuery query = Parsed(filter);
    EXPECT_FALSE(query.state.has_value());
    EXPECT_FALSE(query.parked.has_value());
    EXPECT_EQ(query.definition, "");
    EXPECT_TRUE(query.labels.empty());
    EXPECT_FALSE(query.started_from_ms.has_value());
    EXPECT_FALSE(query.started_to_ms.has_value());
  }
}

TEST(FilterTest, TermsAreJoinedByAnd) {
  const store::ListQuery query = Parsed(
      "state = RUNNING AND definition=\"book-ticket\" AND parked = true AND labels.user = 'u 1' "
      "AND labels.\"a b\" = \"say \\\"x\\\"\"");
  EXPECT_EQ(query.state, v1::SAGA_STATE_RUNNING);
  EXPECT_EQ(query.definition, "book-ticket");
  EXPECT_EQ(query.parked, true);
  EXPECT_THAT(query.labels, UnorderedElementsAre(Pair("user", "u 1"), Pair("a b", "say \"x\"")));
}

TEST(FilterTest, StatesGoByShortAndByFullName) {
  EXPECT_EQ(Parsed("state=COMPENSATED").state, v1::SAGA_STATE_COMPENSATED);
  EXPECT_EQ(Parsed("state = SAGA_STATE_COMPENSATING").state, v1::SAGA_STATE_COMPENSATING);
  EXPECT_EQ(Parsed("parked = false").parked, false);
}

TEST(FilterTest, TimeBoundsAreInclusiveMilliseconds) {
  const int64_t ms = absl::ToUnixMillis(absl::FromCivil(absl::CivilSecond(2026, 1, 31), absl::UTCTimeZone()));
  const std::string time = "\"2026-01-31T00:00:00Z\"";
  EXPECT_EQ(Parsed("start_time >= " + time).started_from_ms, ms);
  EXPECT_EQ(Parsed("start_time > " + time).started_from_ms, ms + 1);
  EXPECT_EQ(Parsed("start_time <= " + time).started_to_ms, ms);
  EXPECT_EQ(Parsed("start_time < " + time).started_to_ms, ms - 1);
  EXPECT_EQ(Parsed("start_time = " + time).started_from_ms, ms);
  EXPECT_EQ(Parsed("start_time = " + time).started_to_ms, ms);
  EXPECT_EQ(Parsed("start_time >= \"2026-01-31T01:00:00+01:00\"").started_from_ms, ms);
  // Between two milliseconds.
  const std::string finer = "\"2026-01-31T00:00:00.0005Z\"";
  EXPECT_EQ(Parsed("start_time >= " + finer).started_from_ms, ms + 1);
  EXPECT_EQ(Parsed("start_time > " + finer).started_from_ms, ms + 1);
  EXPECT_EQ(Parsed("start_time <= " + finer).started_to_ms, ms);
  EXPECT_EQ(Parsed("start_time < " + finer).started_to_ms, ms);
}

TEST(FilterTest, TheNarrowestOfSeveralTimeBoundsHolds) {
  const store::ListQuery query = Parsed(
      "start_time >= \"1970-01-01T00:00:01Z\" AND start_time > \"1970-01-01T00:00:02Z\" AND "
      "start_time < \"1970-01-01T00:00:09Z\" AND start_time <= \"1970-01-01T00:00:05Z\"");
  EXPECT_EQ(query.started_from_ms, 2001);
  EXPECT_EQ(query.started_to_ms, 5000);
}

TEST(FilterTest, RefusalsNameThePositionAndWhatWouldBeRight) {
  const struct {
    const char* filter;
    const char* where;
    const char* what;
  } cases[] = {
      {"status = RUNNING", "at position 1:", "unknown field \"status\""},
      {"state RUNNING", "at position 7:", "expected = after state"},
      {"state = WALKING", "at position 9:", "RUNNING, SUCCEEDED, COMPENSATING and COMPENSATED"},
      {"state = UNSPECIFIED", "at position 9:", "is no state"},
      {"state != RUNNING", "at position 7:", "can only be compared by =, not !="},
      {"state =", "at position 8:", "expected a value"},
      {"state = RUNNING AND", "at position 20:", "a term is missing"},
      {"state = RUNNING parked = true", "at position 17:", "expected AND"},
      {"state = RUNNING OR parked = true", "at position 17:", "OR, NOT and brackets are not supported"},
      {"(state = RUNNING)", "at position 1:", "unexpected \"(\""},
      {"state = RUNNING AND state = SUCCEEDED", "at position 21:", "twice"},
      {"parked = yes", "at position 10:", "true or false"},
      {"definition = Book_Ticket!", "at position 14:", "cannot be a definition's name"},
      {"labels. = x", "at position 1:", "key is missing"},
      {"labels.user > x", "at position 13:", "can only be compared by ="},
      {"labels.user = \"x", "at position 15:", "never closed"},
      {"start_time >= yesterday", "at position 15:", "RFC 3339"},
      {"start_time <= \"2666666666-01-01T00:00:00Z\"", "at position 15:", "RFC 3339"},
      {"start_time < \"infinite-future\"", "at position 14:", "RFC 3339"},
      {"start_time != \"2026-01-31T00:00:00Z\"", "at position 12:", "=, >=, >, <= and <"},
      {"\"state\" = RUNNING", "at position 1:", "expected a field"},
      {"= RUNNING", "at position 1:", "expected a field"},
  };
  for (const auto& test : cases) {
    const auto query = ParseFilter(test.filter);
    EXPECT_EQ(query.status().code(), absl::StatusCode::kInvalidArgument) << test.filter;
    EXPECT_EQ(ReasonOf(query.status()), "FILTER_INVALID");
    const auto violations = ViolationsOf(query.status());
    ASSERT_EQ(violations.size(), 1u);
    EXPECT_EQ(violations[0].field, "filter");
    EXPECT_THAT(violations[0].description, StartsWith(test.where)) << test.filter;
    EXPECT_THAT(violations[0].description, HasSubstr(test.what)) << test.filter;
  }
}

TEST(FilterTest, LengthAndLabelsAreLimited) {
  EXPECT_FALSE(ParseFilter("labels.a = " + std::string(limits::kFilterBytesMax, 'x')).ok());
  std::string filter = "labels.a = x";
  for (int i = 1; i < limits::kLabelsMax; ++i) filter += " AND labels.a = x";
  EXPECT_TRUE(ParseFilter(filter).ok());
  EXPECT_FALSE(ParseFilter(filter + " AND labels.a = x").ok());
}

}  // namespace
}  // namespace tutti::api
