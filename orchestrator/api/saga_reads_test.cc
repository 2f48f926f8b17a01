#include "orchestrator/api/saga_reads.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/limits.h"
#include "gtest/gtest.h"
#include "orchestrator/api/service_world.h"
#include "orchestrator/store/memory_store.h"

namespace tutti::api {
namespace {

using storage::v1::SagaRecord;

// The largest that the engine can write.
SagaRecord LargestSaga(const std::string& saga_id) {
  SagaRecord record;
  record.set_version(1);
  record.set_saga_id(saga_id + std::string(limits::kSagaIdBytesMax - saga_id.size(), '-'));
  record.set_definition(std::string(limits::kNameBytesMax, 'd'));
  record.set_revision(1'000'000);
  record.set_state(v1::SAGA_STATE_COMPENSATING);
  record.set_started_ms(1'700'000'000'000);
  const std::string message(limits::kStatusMessageBytesMax, 'm');
  for (int i = 0; i < limits::kStepsMax; ++i) {
    storage::v1::StepRecord* step = record.add_steps();
    step->set_name(absl::StrCat(i, std::string(limits::kNameBytesMax - 2, 's')));
    step->set_state(v1::STEP_STATE_COMPENSATING);
    step->set_started_ms(1'700'000'000'001);
    step->mutable_action()->set_attempts(1'000'000);
    step->mutable_compensation()->set_attempts(1'000'000);
    step->mutable_parking()->set_message(message);
    step->mutable_parking()->set_since_ms(1'700'000'000'001);
    step->mutable_parking()->set_history_sequence(1'000'000'000);
  }
  for (int i = 0; i < limits::kLabelsMax; ++i) {
    (*record.mutable_labels())[absl::StrCat(std::string(limits::kNameBytesMax - 2, 'l'), i)] =
        std::string(limits::kLabelBytesMax, 'v');
  }
  record.mutable_abort_reason()->set_message(message);
  record.mutable_abort_reason()->set_step(std::string(limits::kNameBytesMax, 's'));
  record.mutable_abort_reason()->set_by(std::string(limits::kLabelBytesMax, 'b'));
  return record;
}

class SagaReadsTest : public testing::Test {
 protected:
  void Keep(const SagaRecord& record) {
    store::WriteSet write_set;
    store::SagaWrite& write = write_set.sagas.emplace_back();
    write.record = record;
    store_.Commit(write_set, [](store::CommitResult, const absl::Status& status) { EXPECT_TRUE(status.ok()); });
  }
  v1::Saga Get(const std::string& saga_id) {
    v1::GetSagaRequest request;
    v1::GetSagaResponse response;
    request.set_saga_id(saga_id);
    EXPECT_TRUE(reads_.Get(request, &response).ok());
    EXPECT_LE(response.ByteSizeLong(), limits::kAnswerBytesMax);
    v1::GetSagaResponse read;
    EXPECT_TRUE(read.ParseFromString(response.SerializeAsString()));
    return response.saga();
  }
  static SagaRecord Ended(const std::string& saga_id) {
    SagaRecord record;
    record.set_version(1);
    record.set_saga_id(saga_id);
    record.set_definition("book-ticket");
    record.set_revision(1);
    record.set_uid("u");
    record.set_state(v1::SAGA_STATE_SUCCEEDED);
    record.set_committed_ms(1);
    record.add_steps()->set_name("charge");
    record.mutable_steps(0)->set_state(v1::STEP_STATE_SUCCEEDED);
    record.set_input(Json(R"({"user": "u1"})").SerializeAsString());
    record.set_output(Json(R"({"total": "3"})").SerializeAsString());
    return record;
  }

  store::MemoryStore store_{store::MemoryStore::Options{.inline_done = true}};
  FakeDefinitions definitions_;
  SagaReads reads_{&store_, &definitions_};
};

TEST_F(SagaReadsTest, TheLargestSagaIsBelowItsLimit) {
  const SagaRecord largest = LargestSaga("s");
  Keep(largest);
  const v1::Saga saga = Get(largest.saga_id());
  EXPECT_GT(saga.ByteSizeLong(), limits::kSagaBytesMax / 2);
  EXPECT_LE(saga.ByteSizeLong(), limits::kSagaBytesMax);
}

TEST_F(SagaReadsTest, MessagesThatAnEarlierVersionKeptWholeAreCut) {
  SagaRecord record = LargestSaga("s");
  for (storage::v1::StepRecord& step : *record.mutable_steps()) {
    step.mutable_parking()->set_message(std::string(100'000, 'm'));
  }
  record.mutable_abort_reason()->set_message(std::string(100'000, 'm'));
  Keep(record);
  EXPECT_LE(Get(record.saga_id()).ByteSizeLong(), limits::kSagaBytesMax);
}

TEST_F(SagaReadsTest, APageEndsWhereTheNextSagaMightNotFit) {
  constexpr int kSagas = 120;
  for (int i = 0; i < kSagas; ++i) Keep(LargestSaga(absl::StrCat(i)));
  v1::ListSagasRequest request;
  request.set_page_size(limits::kPageSizeMax);
  int seen = 0;
  int pages = 0;
  do {
    v1::ListSagasResponse response;
    ASSERT_TRUE(reads_.List(request, &response).ok());
    EXPECT_LE(response.ByteSizeLong(), limits::kAnswerBytesMax);
    const bool last = response.next_page_token().empty();
    EXPECT_TRUE(last || response.ByteSizeLong() > limits::kPageBytesMax / 2) << response.ByteSizeLong();
    seen += response.sagas_size();
    ++pages;
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(seen, kSagas);
  EXPECT_GT(pages, 2);
}

TEST_F(SagaReadsTest, PayloadsThatWouldPassWhatClientsTakeAreLeftOutAndThatIsSaid) {
  SagaRecord record = Ended("s");
  Keep(record);
  EXPECT_TRUE(Get("s").has_input());
  EXPECT_TRUE(Get("s").has_output());
  EXPECT_FALSE(Get("s").payloads_omitted());
  google::protobuf::Struct output;
  (*output.mutable_fields())["text"].set_string_value(std::string(limits::kAnswerBytesMax, 'x'));
  record.set_output(output.SerializeAsString());
  Keep(record);
  const v1::Saga saga = Get("s");
  EXPECT_FALSE(saga.has_input());
  EXPECT_FALSE(saga.has_output());
  EXPECT_TRUE(saga.payloads_omitted());
  EXPECT_EQ(saga.state(), v1::SAGA_STATE_SUCCEEDED);
}

TEST_F(SagaReadsTest, PayloadsThatCannotBeShownAreLeftOutAndThatIsSaid) {
  SagaRecord record = Ended("s");
  record.set_output("\xff");
  Keep(record);
  EXPECT_TRUE(Get("s").has_input());
  EXPECT_FALSE(Get("s").has_output());
  EXPECT_TRUE(Get("s").payloads_omitted());

  record = Ended("s");
  record.set_input("\xff");
  Keep(record);
  EXPECT_FALSE(Get("s").has_input());
  EXPECT_TRUE(Get("s").payloads_omitted());

  // A record may hold what nobody could read where it stands in an answer.
  record = Ended("s");
  std::string deep = "{\"a\": ";
  for (int i = 0; i < 31; ++i) deep += "{\"a\": ";
  record.set_output(Json(deep + "1" + std::string(32, '}')).SerializeAsString());
  Keep(record);
  EXPECT_TRUE(Get("s").payloads_omitted());
}

TEST_F(SagaReadsTest, ARawRecordIsShownWhetherItCanBeReadOrNot) {
  Keep(Ended("s"));
  v1::GetSagaRequest request;
  v1::GetSagaResponse response;
  request.set_saga_id("s");
  request.set_raw(true);
  ASSERT_TRUE(reads_.Get(request, &response).ok());
  EXPECT_EQ(response.saga().saga_id(), "s");
  EXPECT_EQ(response.raw().record(), *store_.GetRaw("s"));
  EXPECT_EQ(response.raw().record_bytes(), static_cast<int64_t>(response.raw().record().size()));
  EXPECT_EQ(response.raw().error(), "");

  SagaRecord newer = Ended("s");
  newer.set_version(1000);
  Keep(newer);
  response.Clear();
  EXPECT_FALSE(reads_.Get(v1::GetSagaRequest(), &response).ok());
  ASSERT_TRUE(reads_.Get(request, &response).ok());
  EXPECT_FALSE(response.has_saga());
  EXPECT_NE(response.raw().error(), "");
  EXPECT_EQ(response.raw().record(), *store_.GetRaw("s"));

  SagaRecord large = Ended("s");
  large.set_input(std::string(limits::kPageBytesMax, 'x'));
  Keep(large);
  response.Clear();
  ASSERT_TRUE(reads_.Get(request, &response).ok());
  EXPECT_EQ(response.raw().record().size(), limits::kPageBytesMax);
  EXPECT_GT(response.raw().record_bytes(), static_cast<int64_t>(limits::kPageBytesMax));
  EXPECT_LE(response.ByteSizeLong(), limits::kAnswerBytesMax);
}

TEST_F(SagaReadsTest, WhatAListingCouldNotReadIsNamed) {
  Keep(Ended("good"));
  SagaRecord newer = Ended("newer");
  newer.set_version(1000);
  Keep(newer);
  v1::ListSagasResponse response;
  ASSERT_TRUE(reads_.List(v1::ListSagasRequest(), &response).ok());
  ASSERT_EQ(response.sagas_size(), 1);
  ASSERT_EQ(response.unreadable_size(), 1);
  EXPECT_EQ(response.unreadable(0).saga_id(), "newer");
  EXPECT_NE(response.unreadable(0).error(), "");
}

TEST_F(SagaReadsTest, WhatItsShardWillNotStepDoesNotLookAsIfItWentOn) {
  SagaRecord damaged = Ended("s");
  damaged.mutable_steps(0)->mutable_action()->set_attempts(-1);
  Keep(damaged);
  v1::GetSagaRequest request;
  request.set_saga_id("s");
  v1::GetSagaResponse response;
  const absl::Status status = reads_.Get(request, &response);
  EXPECT_TRUE(absl::IsDataLoss(status)) << status;
  EXPECT_NE(status.message().find("step charge cannot be continued"), std::string::npos) << status;
  request.set_raw(true);
  ASSERT_TRUE(reads_.Get(request, &response).ok());
  EXPECT_FALSE(response.has_saga());
  EXPECT_NE(response.raw().error(), "");
  v1::ListSagasResponse list;
  ASSERT_TRUE(reads_.List(v1::ListSagasRequest(), &list).ok());
  EXPECT_EQ(list.sagas_size(), 0);
  ASSERT_EQ(list.unreadable_size(), 1);
  EXPECT_EQ(list.unreadable(0).saga_id(), "s");
}

TEST_F(SagaReadsTest, AnIdThatIsNoTextCanBeReadByClients) {
  Keep(Ended("s"));
  store_.Edit([](store::Tables* tables) {
    auto& index = (*tables)[store::Column::kIndex];
    SagaRecord damaged = Ended("s");
    damaged.set_saga_id("\xff\xfe");
    for (const std::string& key : store::IndexKeysOf(damaged)) index[key] = "";
  });
  v1::ListSagasResponse list;
  ASSERT_TRUE(reads_.List(v1::ListSagasRequest(), &list).ok());
  ASSERT_EQ(list.unreadable_size(), 1);
  v1::ListSagasResponse read;
  EXPECT_TRUE(read.ParseFromString(list.SerializeAsString()));
  EXPECT_EQ(read.unreadable(0).saga_id(), "\xef\xbf\xbd\xef\xbf\xbd");
}

// Pages that find one saga for every hundred entries they look at, without end.
class SparseReader final : public ForwardingReader {
 public:
  using ForwardingReader::ForwardingReader;
  absl::StatusOr<store::ListPage> ListSagas(const store::ListQuery& query) const override {
    store::ListPage page;
    while (page.scanned < query.scan_budget && static_cast<int>(page.sagas.size()) < query.page_size) {
      const int step = std::min(100, query.scan_budget - page.scanned);
      page.scanned += step;
      if (step == 100) page.sagas.push_back(Saga());
    }
    scanned += page.scanned;
    page.next_cursor = "more";
    return page;
  }

  mutable int scanned = 0;

 private:
  static SagaRecord Saga() {
    SagaRecord record;
    record.set_saga_id("s");
    return record;
  }
};

TEST_F(SagaReadsTest, AListingLooksAtSoMuchForARequestHoweverManyPagesOfTheStoreItTakes) {
  SparseReader sparse(&store_);
  const SagaReads reads(&sparse, &definitions_);
  v1::ListSagasRequest request;
  v1::ListSagasResponse response;
  request.set_page_size(limits::kPageSizeMax);
  ASSERT_TRUE(reads.List(request, &response).ok());
  EXPECT_EQ(sparse.scanned, limits::kListScanMax);
  EXPECT_EQ(response.sagas_size(), limits::kListScanMax / 100);
  EXPECT_NE(response.next_page_token(), "") << "the client goes on from there";
}

}  // namespace
}  // namespace tutti::api
