// Listings, on each kind of store.
#include <functional>
#include <limits>
#include <map>
#include <random>
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/errors.h"
#include "orchestrator/store/store_backends.h"

namespace tutti::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ListingTest : public SagaStoreTest {
 protected:
  std::vector<std::string> AllPages(ListQuery query) {
    std::vector<std::string> ids;
    do {
      const auto page = reader().ListSagas(query);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return ids;
      EXPECT_LE(page->sagas.size(), static_cast<size_t>(query.page_size));
      for (const auto& id : IdsOf(page->sagas)) ids.push_back(id);
      query.cursor = page->next_cursor;
    } while (!query.cursor.empty());
    return ids;
  }

  static bool Satisfies(const storage::v1::SagaRecord& record, const ListQuery& query) {
    bool parked = false;
    for (const auto& step : record.steps()) parked = parked || step.has_parking();
    bool matches = record.state() == query.state.value_or(record.state()) && parked == query.parked.value_or(parked) &&
                   record.started_ms() >= query.started_from_ms.value_or(record.started_ms()) &&
                   record.started_ms() <= query.started_to_ms.value_or(record.started_ms()) &&
                   (query.definition.empty() || query.definition == record.definition());
    for (const auto& [key, value] : query.labels) {
      matches = matches && record.labels().contains(key) && record.labels().at(key) == value;
    }
    return matches;
  }
  static std::vector<std::string> Matching(const std::vector<SagaWrite>& sagas, const ListQuery& query) {
    std::set<std::pair<int64_t, std::string>> sorted;
    for (const SagaWrite& saga : sagas) {
      if (Satisfies(saga.record, query)) sorted.emplace(-saga.record.started_ms(), saga.record.saga_id());
    }
    std::vector<std::string> ids;
    for (const auto& [age, id] : sorted) ids.push_back(id);
    return ids;
  }
};

INSTANTIATE_TEST_SUITE_P(Stores, ListingTest, testing::Values("Memory", "MemoryInline", "RocksDb"),
                         [](const auto& info) { return info.param; });

TEST_P(ListingTest, ListingsLeavePayloadsOut) {
  SagaWrite write = NewSaga("a");
  (*write.record.mutable_labels())["user"] = "u";
  storage::v1::StepRecord* step = write.record.mutable_steps(0);
  step->set_state(v1::STEP_STATE_SUCCEEDED);
  step->mutable_action()->set_attempts(3);
  step->mutable_action()->add_open()->set_number(2);
  step->mutable_compensation()->set_attempts(1);
  step->mutable_parking()->set_message("why");
  ASSERT_EQ(Commit(SetOf(write, NewSaga("b"))), CommitResult::kDurable);
  const storage::v1::SagaRecord bare = write.record;
  write = NextWrite(write);
  write.record.set_last_sequence(bare.last_sequence());
  write.history.clear();
  write.record.set_input(std::string(70'000, 'i'));
  write.record.set_output(std::string(300, 'o'));
  step = write.record.mutable_steps(0);
  step->set_reply("reply");
  for (auto* command : {step->mutable_action(), step->mutable_compensation()}) {
    command->set_request(std::string(70'000, 'r'));
    (*command->mutable_metadata())["key"] = "value";
  }
  ASSERT_EQ(Commit(SetOf(write)), CommitResult::kDurable);
  const auto page = reader().ListSagas({});
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->sagas.size(), 2u);
  EXPECT_EQ(page->sagas[0].DebugString(), bare.DebugString());
  EXPECT_EQ(reader().GetSaga("a")->DebugString(), write.record.DebugString());
}

TEST_P(ListingTest, ListsNewestFirstAndByEveryTerm) {
  SagaWrite labelled = NewSaga("labelled", 3000, "pay");
  (*labelled.record.mutable_labels())["user"] = "u1";
  (*labelled.record.mutable_labels())["city"] = "x";
  SagaWrite other = NewSaga("other", 2000, "book");
  (*other.record.mutable_labels())["user"] = "u1";
  SagaWrite parked = NewSaga("parked", 1000, "book");
  parked.record.mutable_steps(0)->mutable_parking()->set_since_ms(1);
  ASSERT_EQ(Commit(SetOf(parked, labelled, other)), CommitResult::kDurable);

  EXPECT_THAT(List({}), ElementsAre("labelled", "other", "parked"));
  ListQuery query;
  query.definition = "book";
  EXPECT_THAT(List(query), ElementsAre("other", "parked"));
  query.parked = true;
  EXPECT_THAT(List(query), ElementsAre("parked"));
  query.parked = false;
  EXPECT_THAT(List(query), ElementsAre("other"));
  query = {};
  query.labels = {{"user", "u1"}};
  EXPECT_THAT(List(query), ElementsAre("labelled", "other"));
  query.labels.push_back({"city", "x"});
  EXPECT_THAT(List(query), ElementsAre("labelled"));
  query.labels = {{"user", "u"}};
  EXPECT_THAT(List(query), IsEmpty());
  query = {};
  query.started_from_ms = 2000;
  EXPECT_THAT(List(query), ElementsAre("labelled", "other"));
  query.started_to_ms = 2000;
  EXPECT_THAT(List(query), ElementsAre("other"));
  query.definition = "pay";
  EXPECT_THAT(List(query), IsEmpty());
  query = {};
  query.started_to_ms = 2999;
  EXPECT_THAT(List(query), ElementsAre("other", "parked"));
}

TEST_P(ListingTest, PagesNeitherRepeatNorMissWhileNewSagasStart) {
  WriteSet set;
  std::vector<std::string> expected;
  for (int i = 0; i < 25; ++i) set.sagas.push_back(NewSaga(absl::StrCat("s", 100 + i), /*started_ms=*/1000 + i / 5));
  ASSERT_EQ(Commit(std::move(set)), CommitResult::kDurable);
  ListQuery query;
  query.state = v1::SAGA_STATE_RUNNING;
  query.page_size = 100;
  expected = List(query);
  ASSERT_EQ(expected.size(), 25u);

  query.page_size = 4;
  std::vector<std::string> seen;
  int pages = 0;
  do {
    const auto page = reader().ListSagas(query);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& id : IdsOf(page->sagas)) seen.push_back(id);
    query.cursor = page->next_cursor;
    Commit(SetOf(NewSaga(absl::StrCat("new", pages), /*started_ms=*/5000 + pages)));
  } while (!query.cursor.empty() && ++pages < 50);
  EXPECT_EQ(seen, expected);
}

TEST_P(ListingTest, ASearchEndsItsPageEarlyAndGoesOn) {
  WriteSet set;
  for (int i = 0; i < 100; ++i) set.sagas.push_back(Parked(NewSaga(absl::StrCat("s", 100 + i), /*started_ms=*/2000)));
  set.sagas.push_back(NewSaga("oldest", /*started_ms=*/1000));
  ASSERT_EQ(Commit(std::move(set)), CommitResult::kDurable);
  ListQuery query;
  query.parked = false;
  query.scan_budget = 50;
  int pages = 0;
  for (;; ++pages) {
    ASSERT_LT(pages, 6);
    const auto page = reader().ListSagas(query);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_LE(page->scanned, query.scan_budget + 2);
    query.cursor = page->next_cursor;
    if (query.cursor.empty()) {
      EXPECT_THAT(IdsOf(page->sagas), ElementsAre("oldest"));
      break;
    }
    EXPECT_THAT(page->sagas, IsEmpty());
  }
  EXPECT_EQ(pages, 4) << "an index step and a record for each of 101 sagas";
}

TEST_P(ListingTest, TheSmallestBudgetStillGetsThrough) {
  WriteSet set;
  for (int i = 0; i < 20; ++i) {
    set.sagas.push_back(NewSaga(absl::StrCat("s", 10 + i), /*started_ms=*/2000, i % 2 == 0 ? "book" : "pay"));
    (*set.sagas.back().record.mutable_labels())[i % 4 < 2 ? "low" : "high"] = "1";
  }
  ASSERT_EQ(Commit(std::move(set)), CommitResult::kDurable);
  ListQuery query;
  query.definition = "book";
  query.labels = {{"high", "1"}};
  query.scan_budget = 1;
  std::vector<std::string> seen;
  for (int pages = 0; pages < 100; ++pages) {
    const auto page = reader().ListSagas(query);
    ASSERT_TRUE(page.ok()) << page.status();
    for (const auto& id : IdsOf(page->sagas)) seen.push_back(id);
    query.cursor = page->next_cursor;
    if (query.cursor.empty()) break;
  }
  EXPECT_THAT(seen, ElementsAre("s12", "s16", "s20", "s24", "s28"));
}

// Nor does one whose terms are each frequent, and never true together.
TEST_P(ListingTest, ASearchWhoseTermsNeverMeetEndsItsPagesEarlyToo) {
  WriteSet set;
  for (int i = 0; i < 400; ++i) {
    set.sagas.push_back(NewSaga(absl::StrCat("s", 100 + i), /*started_ms=*/2000 + i));
    (*set.sagas.back().record.mutable_labels())[i % 2 == 0 ? "even" : "odd"] = "1";
  }
  ASSERT_EQ(Commit(std::move(set)), CommitResult::kDurable);
  ListQuery query;
  query.labels = {{"even", "1"}, {"odd", "1"}};
  query.scan_budget = 50;
  int pages = 1;
  for (;; ++pages) {
    const auto page = reader().ListSagas(query);
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_THAT(page->sagas, IsEmpty());
    EXPECT_LE(page->scanned, query.scan_budget + 2);
    query.cursor = page->next_cursor;
    if (query.cursor.empty()) break;
    ASSERT_LT(pages, 100);
  }
  EXPECT_GE(pages, 8);
}

TEST_P(ListingTest, TheRarestTermSetsThePace) {
  WriteSet set;
  for (int i = 0; i < 2000; ++i) {
    SagaWrite& write = set.sagas.emplace_back(NewSaga(absl::StrCat("s", 1000 + i), /*started_ms=*/2000 + i));
    (*write.record.mutable_labels())["user"] = absl::StrCat(i % 1000);
    if (i == 700) write = Parked(std::move(write));
  }
  ASSERT_EQ(Commit(std::move(set)), CommitResult::kDurable);
  const auto scanned = [&](ListQuery query, const std::vector<std::string>& expected) {
    const auto page = reader().ListSagas(query);
    EXPECT_TRUE(page.ok()) << page.status();
    EXPECT_EQ(IdsOf(page->sagas), expected);
    EXPECT_EQ(page->next_cursor, "");
    return page->scanned;
  };
  ListQuery query;
  query.definition = "book";
  query.state = v1::SAGA_STATE_SUCCEEDED;
  EXPECT_LE(scanned(query, {}), 3) << "nothing is SUCCEEDED";
  query.state = v1::SAGA_STATE_RUNNING;
  query.labels = {{"user", "nobody"}};
  EXPECT_LE(scanned(query, {}), 4);
  query.labels = {{"user", "5"}, {"user", "6"}};
  EXPECT_LE(scanned(query, {}), 20) << "two sagas each, none in common";
  query.labels = {{"user", "5"}};
  EXPECT_LE(scanned(query, {"s2005", "s1005"}), 20);
  query.labels.clear();
  query.parked = true;
  EXPECT_LE(scanned(query, {"s1700"}), 12);
}

// Against the plain way: every saga, held to the query.
TEST_P(ListingTest, EveryCombinationOfTermsFindsWhatMatches) {
  std::mt19937 random(7);
  WriteSet set;
  for (int i = 0; i < 300; ++i) {
    SagaWrite write =
        NewSaga(absl::StrCat("s", i), 1000 + static_cast<int64_t>(random() % 40), random() % 2 == 0 ? "book" : "pay");
    write.record.set_state(random() % 3 == 0 ? v1::SAGA_STATE_COMPENSATING : v1::SAGA_STATE_RUNNING);
    if (random() % 4 == 0) write = Parked(std::move(write));
    (*write.record.mutable_labels())["user"] = absl::StrCat(random() % 3);
    if (random() % 2 == 0) (*write.record.mutable_labels())["city"] = "x";
    set.sagas.push_back(std::move(write));
  }
  const std::vector<SagaWrite> sagas = set.sagas;
  ASSERT_EQ(Commit(std::move(set)), CommitResult::kDurable);
  for (int round = 0; round < 200; ++round) {
    ListQuery query;
    if (random() % 2 == 0) query.definition = "pay";
    if (random() % 2 == 0) query.state = v1::SAGA_STATE_COMPENSATING;
    if (random() % 3 == 0) query.parked = random() % 2 == 0;
    if (random() % 2 == 0) query.labels.push_back({"user", absl::StrCat(random() % 3)});
    if (random() % 2 == 0) query.labels.push_back({"city", "x"});
    if (random() % 2 == 0) query.started_from_ms = 1000 + static_cast<int64_t>(random() % 40);
    if (random() % 2 == 0) query.started_to_ms = 1000 + static_cast<int64_t>(random() % 40);
    query.page_size = 1 + static_cast<int>(random() % 20);
    query.scan_budget = 1 + static_cast<int>(random() % 100);
    EXPECT_EQ(AllPages(query), Matching(sagas, query)) << "round " << round;
  }
}

TEST_P(ListingTest, ExactlyFullLastPageHasNoCursor) {
  Commit(SetOf(NewSaga("a"), NewSaga("b")));
  ListQuery query;
  query.page_size = 2;
  EXPECT_EQ(reader().ListSagas(query)->next_cursor, "");
  query.page_size = 1;
  EXPECT_NE(reader().ListSagas(query)->next_cursor, "");
}

TEST_P(ListingTest, CursorsOfAnotherQueryAreRefused) {
  for (const char* id : {"a", "b"}) {
    SagaWrite write = NewSaga(id);
    (*write.record.mutable_labels())["user"] = "u";
    ASSERT_EQ(Commit(SetOf(write)), CommitResult::kDurable);
  }
  ListQuery query;
  query.state = v1::SAGA_STATE_RUNNING;
  query.parked = false;
  query.definition = "book";
  query.labels = {{"user", "u"}};
  query.started_from_ms = 1;
  query.page_size = 1;
  query.cursor = reader().ListSagas(query)->next_cursor;
  ASSERT_NE(query.cursor, "");
  ListQuery same = query;
  same.page_size = 7;
  same.scan_budget = 7;
  EXPECT_TRUE(reader().ListSagas(same).ok());
  const std::map<std::string, std::function<void(ListQuery*)>> changes = {
      {"any state", [](ListQuery* other) { other->state.reset(); }},
      {"another state", [](ListQuery* other) { other->state = v1::SAGA_STATE_SUCCEEDED; }},
      {"parked or not", [](ListQuery* other) { other->parked.reset(); }},
      {"parked", [](ListQuery* other) { other->parked = true; }},
      {"any definition", [](ListQuery* other) { other->definition.clear(); }},
      {"another definition", [](ListQuery* other) { other->definition = "pay"; }},
      {"no label", [](ListQuery* other) { other->labels.clear(); }},
      {"another label",
       [](ListQuery* other) {
         other->labels = {{"use", "u"}};
       }},
      {"another value",
       [](ListQuery* other) {
         other->labels = {{"user", "v"}};
       }},
      {"one more label",
       [](ListQuery* other) {
         other->labels.push_back({"city", "x"});
       }},
      {"any start", [](ListQuery* other) { other->started_from_ms.reset(); }},
      {"another start", [](ListQuery* other) { other->started_from_ms = 2; }},
      {"the other end", [](ListQuery* other) { std::swap(other->started_from_ms, other->started_to_ms); }},
      {"both ends", [](ListQuery* other) { other->started_to_ms = 5'000; }},
  };
  for (const auto& [what, change] : changes) {
    ListQuery other = query;
    change(&other);
    EXPECT_EQ(ReasonOf(reader().ListSagas(other).status()), "PAGE_TOKEN_INVALID") << what;
  }
  std::string bytes;
  ASSERT_TRUE(absl::WebSafeBase64Unescape(query.cursor, &bytes));
  for (const size_t cut : {size_t{8}, size_t{15}}) {  // no position, and half of one
    same.cursor = absl::WebSafeBase64Escape(bytes.substr(0, cut));
    EXPECT_EQ(ReasonOf(reader().ListSagas(same).status()), "PAGE_TOKEN_INVALID") << cut;
  }
  query = {};
  for (const std::string cursor : {"x", "!!!!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}) {
    query.cursor = cursor;
    EXPECT_EQ(reader().ListSagas(query).status().code(), absl::StatusCode::kInvalidArgument) << cursor;
  }
}

TEST_P(ListingTest, BothEndsOfATimeRangeCount) {
  WriteSet set;
  for (int64_t ms = 1000; ms <= 1004; ++ms) {
    set.sagas.push_back(NewSaga(absl::StrCat("s", ms, "a"), ms));
    set.sagas.push_back(NewSaga(absl::StrCat("s", ms, "b"), ms, "pay"));
  }
  const std::vector<SagaWrite> sagas = set.sagas;
  ASSERT_EQ(Commit(std::move(set)), CommitResult::kDurable);
  for (int64_t from = 999; from <= 1005; ++from) {
    for (int64_t to = 999; to <= 1005; ++to) {
      for (const char* definition : {"", "pay"}) {
        ListQuery query;
        query.definition = definition;
        query.started_from_ms = from;
        query.started_to_ms = to;
        for (const int page_size : {1, 2, 3, 100}) {
          query.page_size = page_size;
          EXPECT_EQ(AllPages(query), Matching(sagas, query)) << from << " to " << to;
        }
      }
    }
  }
}

TEST_P(ListingTest, ExtremeTimesAreInTheirPlaces) {
  ASSERT_EQ(Commit(SetOf(NewSaga("oldest", 0), NewSaga("newest", (int64_t{1} << 60) - 1))), CommitResult::kDurable);
  ListQuery query;
  query.started_from_ms = std::numeric_limits<int64_t>::min();
  query.started_to_ms = std::numeric_limits<int64_t>::max();
  EXPECT_THAT(List(query), ElementsAre("newest", "oldest"));
  EXPECT_THAT(List({}), ElementsAre("newest", "oldest"));
}

TEST_P(ListingTest, APageHoldsNoMoreThanTheLimit) {
  WriteSet set;
  for (int i = 0; i <= limits::kPageSizeMax; ++i) set.sagas.push_back(NewSaga(absl::StrCat("s", i)));
  ASSERT_EQ(Commit(std::move(set)), CommitResult::kDurable);
  ListQuery query;
  query.page_size = limits::kPageSizeMax + 7;
  EXPECT_EQ(List(query).size(), static_cast<size_t>(limits::kPageSizeMax));
  query.page_size = 0;
  EXPECT_EQ(List(query).size(), 1u);
}

// Names that begin alike, labels of another key with the same value, and bytes that indexes use themselves.
TEST_P(ListingTest, NeighboursInAnIndexAreNotMistaken) {
  const std::string end("x\x01", 2), zero("x\0", 2);
  WriteSet set;
  int i = 0;
  for (const std::string& definition : {std::string("book"), std::string("book-two"), std::string("boo")}) {
    for (const std::string& key : {std::string("user"), std::string("use"), std::string("users")}) {
      for (const std::string& value : {std::string("x"), std::string("xy"), std::string(), end, zero}) {
        ++i;
        SagaWrite& write = set.sagas.emplace_back(NewSaga(absl::StrCat("s", i), 1000 + i % 3, definition));
        (*write.record.mutable_labels())[key] = value;
      }
    }
  }
  const std::vector<SagaWrite> sagas = set.sagas;
  ASSERT_EQ(Commit(std::move(set)), CommitResult::kDurable);
  for (const SagaWrite& saga : sagas) {
    ListQuery query;
    query.labels.assign(saga.record.labels().begin(), saga.record.labels().end());
    EXPECT_EQ(AllPages(query).size(), 3u);
    EXPECT_EQ(AllPages(query), Matching(sagas, query));
    query.definition = saga.record.definition();
    EXPECT_EQ(AllPages(query), Matching(sagas, query));
  }
}

}  // namespace
}  // namespace tutti::store
