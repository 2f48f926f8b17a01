#include "orchestrator/effects/target.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tutti::effects {
namespace {

using testing::HasSubstr;

TEST(TargetTest, WhatGrpcResolvesIsTaken) {
  for (const char* target :
       {"payment:7601", "payment.shop.svc.cluster.local:443", "127.0.0.1:1", "[::1]:65535", "[fe80::1%eth0]:5",
        "dns:///payment:7601", "dns://8.8.8.8/payment:7601", "dns:payment:7601", "dns:///[::1]:7", "my_service:80",
        "ipv4:10.0.0.1:5", "ipv4:10.0.0.1:5,10.0.0.2:5", "ipv6:[::1]:5,[::2]:6", "unix:/tmp/shop", "unix:shop.sock",
        "unix:///tmp/shop", "unix-abstract:shop"}) {
    EXPECT_EQ(TargetMistake(target), "") << target;
  }
}

TEST(TargetTest, WhatItCannotResolveIsRefusedWithTheRemedy) {
  const std::pair<const char*, const char*> wrong[] = {
      {"", "is missing"},
      {"5", "no port"},
      {"payment", "no port"},
      {"dns:///payment", "no port"},
      {"dns://payment:7601", "no port"},  // that is a name server and nothing to ask it for
      {"::1:7601", "no port"},
      {"payment:", "65535"},
      {"payment:http", "65535"},
      {"payment:0", "65535"},
      {"payment:65536", "65535"},
      {"payment:-1", "65535"},
      {"payment:7601/v1", "65535"},
      {"payment: 7601", "space"},
      {"z\xc3\xa4hler:7601", "ASCII"},
      {":7601", "no host"},
      {"[::g]:7601", "no host"},
      {"pay,ment:7601", "no host"},
      {"http://payment:7601", "`http`"},
      {"https://payment:7601", "`https`"},
      {"xds:///payment", "`xds`"},
      {"ipv4:payment:7601", "no host"},
      {"ipv4:10.0.0.1:5,", "no port"},
      {"ipv6:10.0.0.1:5", "no host"},
      {"unix:", "no socket"},
      {"unix://", "no socket"},
  };
  for (const auto& [target, mistake] : wrong) EXPECT_THAT(TargetMistake(target), HasSubstr(mistake)) << target;
}

}  // namespace
}  // namespace tutti::effects
