#include "orchestrator/catalog/catalog.h"

#include <future>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "orchestrator/definition/test_source.h"

namespace tutti::catalog {
namespace {

using definition::testing::TestSource;

class FixedClock final : public Clock {
 public:
  int64_t WallMs() const override { return 1'700'000'000'000; }
  int64_t MonotonicMs() const override { return 0; }
};

// Keeps definitions only; can be told to fail.
class DefinitionStore final : public store::SagaStore, public store::SagaReader {
 public:
  void Commit(const store::WriteSet& write_set, store::CommitDone done) override {
    if (result == store::CommitResult::kDurable) {
      for (const auto& record : write_set.definitions) {
        std::erase_if(records, [&](const auto& old) {
          return old.name() == record.name() && old.revision() == record.revision();
        });
        records.push_back(record);
      }
    }
    done(result, result == store::CommitResult::kDurable ? absl::OkStatus() : absl::InternalError("disk on fire"));
  }
  absl::StatusOr<storage::v1::SagaRecord> GetSaga(absl::string_view) const override {
    return absl::NotFoundError("no sagas here");
  }
  absl::StatusOr<std::string> GetRaw(absl::string_view) const override { return absl::NotFoundError("no sagas here"); }
  absl::StatusOr<std::vector<v1::HistoryEvent>> GetHistory(absl::string_view, int64_t, int) const override {
    return std::vector<v1::HistoryEvent>();
  }
  absl::StatusOr<store::ListPage> ListSagas(const store::ListQuery&) const override { return store::ListPage(); }
  absl::StatusOr<store::EndedPage> FindEnded(const store::EndedQuery&) const override { return store::EndedPage(); }
  absl::Status ForEachActive(uint32_t, uint32_t, const store::RecordVisitor&,
                             const store::UnreadableVisitor&) const override {
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<storage::v1::DefinitionRecord>> GetDefinitions() const override { return records; }

  std::vector<storage::v1::DefinitionRecord> records;
  store::CommitResult result = store::CommitResult::kDurable;
};

std::string Text(const std::string& name, const std::string& timeout) {
  return "name: " + name + "\ntimeout: " + timeout +
         "\nsteps:\n- {name: a, participant: shop, compensation: none, action: {method: shop.v1.PayService/Pay}}\n";
}

class CatalogTest : public ::testing::Test {
 protected:
  int64_t Applied(const std::string& text, bool dry_run = false) {
    const auto result = catalog_.Apply(text, dry_run);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->revision->record.revision() : -1;
  }

  DefinitionStore store_;
  TestSource source_;
  FixedClock clock_;
  Catalog catalog_{&store_, &store_, &source_, &clock_};
};

TEST_F(CatalogTest, ChangedContentMakesANewRevision) {
  EXPECT_EQ(Applied(Text("buy", "1s")), 1);
  EXPECT_EQ(Applied(Text("buy", "2s")), 2);
  EXPECT_EQ(Applied(Text("sell", "1s")), 1);
  ASSERT_EQ(store_.records.size(), 3u);
  EXPECT_EQ(store_.records[1].created_ms(), clock_.WallMs());
  EXPECT_EQ(catalog_.Find("buy", 1)->timeout_ms, 1000);
  EXPECT_EQ(catalog_.Find("buy", 2)->timeout_ms, 2000);
  EXPECT_EQ(catalog_.Find("buy", 2)->revision, 2);
  EXPECT_EQ(catalog_.Find("buy", 3), nullptr);
  EXPECT_EQ(catalog_.Find("bye", 1), nullptr);
}

TEST_F(CatalogTest, UnchangedContentReturnsTheRevisionThereIs) {
  Applied(Text("buy", "1s"));
  const auto again = catalog_.Apply("# only a comment\n" + Text("buy", "1s"), false);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->unchanged);
  EXPECT_EQ(again->revision->record.revision(), 1);
  EXPECT_EQ(store_.records.size(), 1u);
  Applied(Text("buy", "2s"));
  EXPECT_EQ(Applied(Text("buy", "1s")), 3) << "only the newest revision counts";
}

// Answers when it is told to, as a participant that hangs does.
class HangingSource final : public definition::DescriptorSource {
 public:
  explicit HangingSource(definition::DescriptorSource* source) : source_(source) {}
  bool KnowsParticipant(absl::string_view participant) const override { return source_->KnowsParticipant(participant); }
  absl::StatusOr<google::protobuf::FileDescriptorSet> FindSymbol(absl::string_view participant,
                                                                 absl::string_view symbol) override {
    if (hangs.exchange(false)) {
      asked.set_value();
      go.get_future().wait();
    }
    return source_->FindSymbol(participant, symbol);
  }

  std::atomic<bool> hangs{false};
  std::promise<void> asked, go;

 private:
  definition::DescriptorSource* const source_;
};

TEST_F(CatalogTest, NothingWaitsForAParticipantThatHangs) {
  HangingSource source(&source_);
  Catalog catalog(&store_, &store_, &source, &clock_);
  ASSERT_TRUE(catalog.Apply(Text("buy", "1s"), false).ok());
  source.hangs = true;
  auto hanging = std::async(std::launch::async, [&] { return catalog.Apply(Text("buy", "2s"), false); });
  source.asked.get_future().wait();
  auto meanwhile = std::async(std::launch::async, [&] {
    EXPECT_TRUE(catalog.Disable("buy", "stop", "ops").ok());
    EXPECT_TRUE(catalog.Enable("buy").ok());
    return catalog.Apply(Text("buy", "3s"), false)->revision->record.revision();
  });
  EXPECT_EQ(meanwhile.wait_for(std::chrono::seconds(20)), std::future_status::ready);
  source.go.set_value();
  EXPECT_EQ(meanwhile.get(), 2);
  const auto late = hanging.get();
  ASSERT_TRUE(late.ok()) << late.status();
  EXPECT_EQ(late->revision->record.revision(), 3);
  EXPECT_EQ(catalog.Find("buy", 3)->revision, 3) << "compiled with the number it has got";
  EXPECT_EQ(catalog.Find("buy", 3)->timeout_ms, 2000);
}

TEST_F(CatalogTest, AppliesAtOnceGetConsecutiveRevisionsAndNoDuplicates) {
  std::vector<std::future<absl::StatusOr<ApplyResult>>> applies;
  for (int i = 0; i < 24; ++i) {
    applies.push_back(std::async(
        std::launch::async, [this, i] { return catalog_.Apply(Text("buy", absl::StrCat(1 + i % 2, "s")), false); }));
  }
  std::vector<int64_t> made;
  for (auto& apply : applies) {
    const auto result = apply.get();
    ASSERT_TRUE(result.ok()) << result.status();
    if (!result->unchanged) made.push_back(result->revision->record.revision());
  }
  std::sort(made.begin(), made.end());
  for (size_t i = 0; i < made.size(); ++i) EXPECT_EQ(made[i], static_cast<int64_t>(i + 1));
  EXPECT_EQ(store_.records.size(), made.size());
  for (size_t i = 1; i < made.size(); ++i) {
    EXPECT_NE((*catalog_.Get("buy", made[i - 1]))->record.digest(), (*catalog_.Get("buy", made[i]))->record.digest());
  }
}

TEST_F(CatalogTest, ADryRunChecksEverythingAndKeepsNothing) {
  EXPECT_EQ(Applied(Text("buy", "1s"), true), 1);
  EXPECT_TRUE(store_.records.empty());
  EXPECT_TRUE(catalog_.List().empty());
  EXPECT_TRUE(absl::IsInvalidArgument(catalog_.Apply("name: x", true).status()));
}

TEST_F(CatalogTest, GetFindsTheNewestOrNamesWhatThereIs) {
  EXPECT_THAT(std::string(catalog_.Get("buy", 0).status().message()), ::testing::HasSubstr("none has been applied"));
  Applied(Text("buy", "1s"));
  Applied(Text("buy", "2s"));
  EXPECT_EQ((*catalog_.Get("buy", 0))->record.revision(), 2);
  EXPECT_EQ((*catalog_.Get("buy", 1))->record.revision(), 1);
  EXPECT_THAT(std::string(catalog_.Get("sell", 0).status().message()), ::testing::HasSubstr("there are buy"));
  const absl::Status missing = catalog_.Get("buy", 9).status();
  EXPECT_TRUE(absl::IsNotFound(missing));
  EXPECT_THAT(std::string(missing.message()), ::testing::HasSubstr("it has 1 to 2"));
  EXPECT_EQ(ReasonOf(missing), "DEFINITION_NOT_FOUND");
}

TEST_F(CatalogTest, ListHasTheNewestOfEachByName) {
  Applied(Text("sell", "1s"));
  Applied(Text("buy", "1s"));
  Applied(Text("sell", "2s"));
  const auto list = catalog_.List();
  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0]->record.name(), "buy");
  EXPECT_EQ(list[1]->record.revision(), 2);
}

TEST_F(CatalogTest, ARestartFindsEveryRevisionWithoutAskingAnybody) {
  Applied(Text("buy", "1s"));
  Applied(Text("buy", "2s"));
  const int asked = source_.asked;
  Catalog restarted(&store_, &store_, &source_, &clock_);
  ASSERT_TRUE(restarted.Load().ok());
  EXPECT_EQ(source_.asked, asked);
  EXPECT_EQ(restarted.Find("buy", 1)->timeout_ms, 1000);
  EXPECT_EQ(restarted.Find("buy", 2)->timeout_ms, 2000);
  const auto again = restarted.Apply(Text("buy", "2s"), false);
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->unchanged);
}

TEST_F(CatalogTest, ARecordThatCannotBeReadStopsTheStart) {
  Applied(Text("buy", "1s"));
  ASSERT_EQ(store_.records.size(), 1u);
  store_.records[0].clear_descriptors();
  EXPECT_TRUE(absl::IsDataLoss(Catalog(&store_, &store_, &source_, &clock_).Load()));
  store_.records[0].set_version(store::kDefinitionVersionMax + 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(Catalog(&store_, &store_, &source_, &clock_).Load()));
}

TEST_F(CatalogTest, ADisabledDefinitionStaysSoOverNewRevisionsAndRestarts) {
  EXPECT_TRUE(absl::IsNotFound(catalog_.Disable("buy", "fraud", "ann")));
  Applied(Text("buy", "1s"));
  ASSERT_TRUE(catalog_.Disable("buy", "fraud", "ann").ok());
  EXPECT_EQ(Applied(Text("buy", "2s")), 2);
  EXPECT_EQ(catalog_.List().size(), 1u);
  Catalog restarted(&store_, &store_, &source_, &clock_);
  ASSERT_TRUE(restarted.Load().ok());
  for (const Catalog* catalog : {&catalog_, &restarted}) {
    const auto disablement = catalog->FindDisablement("buy");
    ASSERT_TRUE(disablement.has_value());
    EXPECT_EQ(disablement->reason(), "fraud");
    EXPECT_EQ(disablement->by(), "ann");
    EXPECT_EQ(disablement->since_ms(), clock_.WallMs());
    EXPECT_FALSE(catalog->FindDisablement("sell").has_value());
    EXPECT_NE(catalog->Find("buy", 1), nullptr) << "its sagas go on";
  }
  ASSERT_TRUE(restarted.Enable("buy").ok());
  EXPECT_FALSE(restarted.FindDisablement("buy").has_value());
  Catalog again(&store_, &store_, &source_, &clock_);
  ASSERT_TRUE(again.Load().ok());
  EXPECT_FALSE(again.FindDisablement("buy").has_value());
}

TEST_F(CatalogTest, ADisablementThatIsNotDurableDoesNotHold) {
  Applied(Text("buy", "1s"));
  store_.result = store::CommitResult::kUnknown;
  EXPECT_TRUE(absl::IsUnavailable(catalog_.Disable("buy", "fraud", "ann")));
  EXPECT_FALSE(catalog_.FindDisablement("buy").has_value());
}

TEST_F(CatalogTest, ARevisionThatIsNotDurableIsNotThere) {
  store_.result = store::CommitResult::kUnknown;
  EXPECT_TRUE(absl::IsUnavailable(catalog_.Apply(Text("buy", "1s"), false).status()));
  EXPECT_EQ(catalog_.Find("buy", 1), nullptr);
}

}  // namespace
}  // namespace tutti::catalog
