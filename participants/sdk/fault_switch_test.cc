#include "participants/sdk/fault_switch.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tutti::participant {
namespace {

constexpr char kMethod[] = "p.S/M";

v1::Fault MakeFault(v1::FaultKind kind, int count) {
  v1::Fault fault;
  fault.set_method(kMethod);
  fault.set_kind(kind);
  fault.set_count(count);
  return fault;
}

TEST(FaultSwitch, HitsAsManyCallsAsItCounts) {
  FaultSwitch faults({kMethod, "p.S/Other"});
  ASSERT_TRUE(faults.Set(MakeFault(v1::FAULT_KIND_FAIL, 2)).ok());
  EXPECT_EQ(faults.Take("p.S/Other").kind(), v1::FAULT_KIND_UNSPECIFIED);
  EXPECT_EQ(faults.Take(kMethod).kind(), v1::FAULT_KIND_FAIL);
  ASSERT_EQ(faults.List().size(), 1u);
  EXPECT_EQ(faults.List()[0].count(), 1);
  EXPECT_EQ(faults.Take(kMethod).kind(), v1::FAULT_KIND_FAIL);
  EXPECT_EQ(faults.Take(kMethod).kind(), v1::FAULT_KIND_UNSPECIFIED);
}

TEST(FaultSwitch, CountZeroHitsAllUntilCleared) {
  FaultSwitch faults({kMethod});
  ASSERT_TRUE(faults.Set(MakeFault(v1::FAULT_KIND_DELAY, 0)).ok());
  for (int i = 0; i < 10; ++i) EXPECT_EQ(faults.Take(kMethod).kind(), v1::FAULT_KIND_DELAY);
  faults.Clear();
  EXPECT_EQ(faults.Take(kMethod).kind(), v1::FAULT_KIND_UNSPECIFIED);
  EXPECT_TRUE(faults.List().empty());
}

TEST(FaultSwitch, RefusesWhatItCannotDo) {
  FaultSwitch faults({kMethod});
  v1::Fault unknown_method = MakeFault(v1::FAULT_KIND_FAIL, 0);
  unknown_method.set_method("Charge");
  EXPECT_THAT(std::string(faults.Set(unknown_method).message()), testing::HasSubstr(kMethod));
  v1::Fault bad_code = MakeFault(v1::FAULT_KIND_FAIL, 0);
  bad_code.set_code(17);
  v1::Fault bad_delay = MakeFault(v1::FAULT_KIND_DELAY, 0);
  bad_delay.set_delay_ms(-1);
  for (const v1::Fault& fault : {unknown_method, bad_code, bad_delay, MakeFault(v1::FAULT_KIND_UNSPECIFIED, 0),
                                 MakeFault(v1::FAULT_KIND_FAIL, -1)}) {
    EXPECT_EQ(faults.Set(fault).code(), absl::StatusCode::kInvalidArgument) << fault.ShortDebugString();
  }
  EXPECT_TRUE(faults.List().empty());
}

TEST(FaultSwitch, StatusHasADefaultCodeAndMessage) {
  EXPECT_EQ(StatusOf(MakeFault(v1::FAULT_KIND_FAIL, 0)).code(), absl::StatusCode::kFailedPrecondition);
  v1::Fault fault = MakeFault(v1::FAULT_KIND_FAIL, 0);
  fault.set_code(14);
  fault.set_message("gone");
  EXPECT_EQ(StatusOf(fault), absl::UnavailableError("gone"));
}

}  // namespace
}  // namespace tutti::participant
