#include "orchestrator/server/room_keeper.h"

#include <atomic>

#include "gtest/gtest.h"
#include "orchestrator/store/store_testing.h"

namespace tutti::server {
namespace {

constexpr uint64_t kLimit = 1'000'000'000;

TEST(RoomKeeperTest, TellsTheAdmissionOfMemoryAndDisk) {
  const store::TemporaryFolder folder;
  std::filesystem::create_directory(folder.path());
  std::atomic<uint64_t> memory{0};
  std::atomic<uint64_t> free{100 << 20};
  api::Admission admission(kLimit);
  store::DiskReserve reserve({.file = folder.path() / "RESERVE", .bytes = 1 << 20},
                             [&] { return store::Room{.bytes_total = 1 << 30, .bytes_free = free}; });
  RoomKeeper keeper(
      &admission, &reserve, [&] { return memory.load(); }, [] { return 0; });
  EXPECT_TRUE(admission.AdmitStart(0).ok());
  EXPECT_EQ(reserve.bytes_held(), 1 << 20) << "the first look is over";
  memory = kLimit / 100 * 95;
  keeper.Look();
  EXPECT_FALSE(admission.AdmitStart(0).ok());
  memory = kLimit / 2;
  keeper.Look();
  EXPECT_TRUE(admission.AdmitStart(0).ok());
  free = 0;
  keeper.Look();
  EXPECT_FALSE(admission.AdmitStart(0).ok());
  free = 100 << 20;
  keeper.Look();
  EXPECT_TRUE(admission.AdmitStart(0).ok());
}

}  // namespace
}  // namespace tutti::server
