#include "common/certificates.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/certificates_testing.h"
#include "common/ids.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tutti {
namespace {

using ::testing::HasSubstr;

class CertificatesTest : public ::testing::Test {
 protected:
  CertificatesTest() {
    std::filesystem::create_directories(folder_ / "other");
    WriteSelfSignedCertificate(folder_);
    WriteSelfSignedCertificate(folder_ / "other");
    std::ofstream(folder_ / "begun.pem") << "-----BEGIN CERTIFICATE-----\n-----BEGIN PRIVATE KEY-----\n";
  }
  ~CertificatesTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }

  const std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("certificates-" + RandomHex128());
};

TEST_F(CertificatesTest, WhatFitsIsTaken) {
  EXPECT_EQ(CertificateMistake(Path("cert.pem")), "");
  EXPECT_EQ(PrivateKeyMistake(Path("key.pem"), Path("cert.pem")), "");
}

TEST_F(CertificatesTest, WhatGrpcCouldNotUseIsNamed) {
  for (const char* name : {"key.pem", "begun.pem"}) {
    EXPECT_EQ(CertificateMistake(Path(name)), Path(name) + ": no PEM certificate can be read from it");
  }
  for (const char* name : {"cert.pem", "begun.pem", "other/key.pem"}) {
    EXPECT_EQ(PrivateKeyMistake(Path(name), Path("cert.pem")),
              Path(name) + ": no PEM key that fits the certificate can be read from it");
  }
}

TEST_F(CertificatesTest, WhatIsNoFileIsNotWaitedFor) {
  ASSERT_EQ(::mkfifo(Path("pipe").c_str(), 0600), 0);
  for (const std::string& path : {Path("pipe"), std::string("/dev/zero"), Path("other")}) {
    EXPECT_THAT(CertificateMistake(path), HasSubstr("not a file"));
    EXPECT_THAT(PrivateKeyMistake(path, Path("cert.pem")), HasSubstr("not a file"));
  }
  EXPECT_THAT(CertificateMistake(Path("absent")), HasSubstr("No such file"));
}

}  // namespace
}  // namespace tutti
