#include "orchestrator/api/admission.h"

#include "common/errors.h"
#include "gtest/gtest.h"

namespace tutti::api {
namespace {

constexpr uint64_t kLimit = 1'000'000'000;

TEST(AdmissionTest, TakesStartsWhileThereIsMemory) {
  Admission admission(kLimit);
  EXPECT_FALSE(admission.OnMemory(kLimit / 100 * 89));
  EXPECT_TRUE(admission.AdmitStart(1000).ok());
}

TEST(AdmissionTest, RefusesFromNineTenthsOnUntilThereIsSomewhatLess) {
  Admission admission(kLimit);
  EXPECT_TRUE(admission.OnMemory(kLimit / 100 * 90));
  const absl::Status refused = admission.AdmitStart(0);
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_EQ(ReasonOf(refused), "MEMORY_SHORT");
  EXPECT_TRUE(admission.OnMemory(kLimit / 100 * 86)) << "not to and fro";
  EXPECT_FALSE(admission.AdmitStart(0).ok());
  EXPECT_FALSE(admission.OnMemory(kLimit / 100 * 84));
  EXPECT_TRUE(admission.AdmitStart(0).ok());
  EXPECT_FALSE(admission.OnMemory(kLimit / 100 * 86));
  EXPECT_TRUE(admission.AdmitStart(0).ok());
}

// Between two readings 100 MB of inputs would come to several times that.
TEST(AdmissionTest, StartsCountOverSomeReadings) {
  Admission admission(kLimit);
  admission.OnMemory(kLimit / 2);
  int taken = 0;
  while (taken < 1000 && admission.AdmitStart(1'000'000).ok()) ++taken;
  EXPECT_GE(taken, 50);
  EXPECT_LE(taken, 100);
  EXPECT_EQ(ReasonOf(admission.AdmitStart(1'000'000)), "MEMORY_SHORT");
  EXPECT_TRUE(admission.AdmitStart(1000).ok()) << "a small one still fits";
  for (size_t reading = 0; reading < Admission::kCounted; ++reading) {
    EXPECT_FALSE(admission.OnMemory(kLimit / 2));
    EXPECT_EQ(ReasonOf(admission.AdmitStart(1'000'000)), "MEMORY_SHORT") << "they may take theirs only now";
  }
  EXPECT_FALSE(admission.OnMemory(kLimit / 2)) << "they took less than was thought";
  EXPECT_TRUE(admission.AdmitStart(1'000'000).ok());
}

TEST(AdmissionTest, RefusesWhileTheDiskIsShortOfRoomWithOrWithoutALimitOfMemory) {
  for (const uint64_t limit : {uint64_t{0}, kLimit}) {
    Admission admission(limit);
    admission.OnDisk(true);
    EXPECT_EQ(ReasonOf(admission.AdmitStart(0)), "DISK_SHORT");
    admission.OnDisk(false);
    EXPECT_TRUE(admission.AdmitStart(0).ok());
  }
}

TEST(AdmissionTest, WithoutALimitMemoryIsNoReason) {
  Admission admission(0);
  EXPECT_FALSE(admission.OnMemory(UINT64_MAX));
  EXPECT_TRUE(admission.AdmitStart(SIZE_MAX / 8).ok());
}

}  // namespace
}  // namespace tutti::api
