#include "orchestrator/server/missed_participants.h"

#include "gtest/gtest.h"
#include "orchestrator/definition/test_source.h"
#include "orchestrator/doctor/store_with_sagas.h"

namespace tutti::server {
namespace {

// One definition, `buy`, whose revision 1 calls the shop, with one open saga.
class MissedParticipantsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string path = (folder_.path() / "store").string();
    std::filesystem::create_directory(folder_.path());
    doctor::MakeStoreWithSagas(path, 1);
    store::RocksDbStoreOptions options;
    options.path = path;
    auto store = store::RocksDbStore::Open(options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    catalog_ = std::make_unique<catalog::Catalog>(store_.get(), store_.get(), &source_, &clock_);
    ASSERT_TRUE(catalog_->Load().ok());
  }
  std::string Missed(const std::set<std::string>& known) {
    const auto missed = FindMissed(*catalog_, *store_, known);
    return missed.ok() ? Describe(*missed) : missed.status().ToString();
  }
  void Apply(const std::string& participant) {
    const auto applied =
        catalog_->Apply("name: buy\nsteps:\n  - {name: pay, participant: " + participant +
                            ", kind: retriable, action: {method: shop.v1.PayService/Pay, timeout: 7s}}\n",
                        /*dry_run=*/false);
    ASSERT_TRUE(applied.ok()) << applied.status();
  }

  const store::TemporaryFolder folder_;
  definition::testing::TestSource source_;
  SystemClock clock_;
  std::unique_ptr<store::RocksDbStore> store_;
  std::unique_ptr<catalog::Catalog> catalog_;
};

TEST_F(MissedParticipantsTest, ANewestRevisionOfAnEnabledDefinitionMissesThem) {
  EXPECT_EQ(Missed({"shop", "depot"}), "");
  EXPECT_EQ(Missed({"depot"}), "shop (definition buy)");
  EXPECT_EQ(Missed({}), "shop (definition buy)");
}

TEST_F(MissedParticipantsTest, OpenSagasMissThemThoughTheirDefinitionTakesNoMore) {
  ASSERT_TRUE(catalog_->Disable("buy", "test", "").ok());
  EXPECT_EQ(Missed({"depot"}), "shop (saga s0 of definition buy, revision 1)");
}

TEST_F(MissedParticipantsTest, OpenSagasOfAnEarlierRevisionMissThem) {
  Apply("depot");
  EXPECT_EQ(Missed({"depot"}), "shop (saga s0 of definition buy, revision 1)");
  EXPECT_EQ(Missed({"shop"}), "depot (definition buy)");
}

TEST_F(MissedParticipantsTest, AnEarlierRevisionWithoutOpenSagasMissesNobody) {
  Apply("depot");
  Apply("shop");
  EXPECT_EQ(Missed({"shop"}), "") << "nothing is open on the revision that calls the depot";
}

}  // namespace
}  // namespace tutti::server
