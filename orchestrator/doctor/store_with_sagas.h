// For tests: a store on disk as a life of the orchestrator leaves it.
#ifndef TUTTI_ORCHESTRATOR_DOCTOR_STORE_WITH_SAGAS_H_
#define TUTTI_ORCHESTRATOR_DOCTOR_STORE_WITH_SAGAS_H_

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "orchestrator/catalog/catalog.h"
#include "orchestrator/definition/test_source.h"
#include "orchestrator/saga/state_machine.h"
#include "orchestrator/store/rocksdb_store.h"
#include "orchestrator/store/store_testing.h"

namespace tutti::doctor {

// Definition `buy` in one revision, and sagas s0, s1 … that wait for participant `shop`.
inline void MakeStoreWithSagas(const std::string& path, int count) {
  struct Plain final : saga::ParticipantTraitsSource {
    saga::ParticipantTraits TraitsOf(absl::string_view) const override { return {}; }
  };
  store::RocksDbStoreOptions options;
  options.path = path;
  auto store = store::RocksDbStore::Open(options);
  ASSERT_TRUE(store.ok()) << store.status();
  definition::testing::TestSource source;
  SystemClock clock;
  catalog::Catalog catalog(store->get(), store->get(), &source, &clock);
  ASSERT_TRUE(catalog
                  .Apply("name: buy\nsteps:\n  - {name: pay, participant: shop, kind: retriable, action: {method: "
                         "shop.v1.PayService/Pay}}\n",
                         /*dry_run=*/false)
                  .ok());
  const auto recipe = catalog.Find("buy", 1);
  const Plain traits;
  const saga::StateMachine machine({}, &traits);
  store::WriteSet write_set;
  for (int i = 0; i < count; ++i) {
    store::SagaWrite& write = write_set.sagas.emplace_back();
    const saga::Event event{
        .saga_id = absl::StrCat("s", i),
        .now_ms = clock.WallMs(),
        .body = saga::StartRequested{.uid = absl::StrCat("u", i), .fingerprint = "fp", .labels = {{"user", "u"}}}};
    write.history = machine.Step(*recipe, event, &write.record).history;
  }
  ASSERT_EQ(store::CommitNow(store->get(), std::move(write_set)), store::CommitResult::kDurable);
}

}  // namespace tutti::doctor

#endif  // TUTTI_ORCHESTRATOR_DOCTOR_STORE_WITH_SAGAS_H_
