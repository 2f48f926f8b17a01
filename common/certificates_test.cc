#include "common/certificates.h"

#include <sys/stat.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/certificates_testing.h"
#include "common/ids.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace tutti {
namespace {

using ::testing::AnyOf;
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

  std::string Content(const std::string& name) const {
    std::ifstream file(folder_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
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

// However much of the file was written when it is read.
TEST_F(CertificatesTest, NoPartOfAChainIsTakenForTheWhole) {
  const std::string certificate = Content("cert.pem");
  const std::string chain = certificate + Content("other/cert.pem");
  int taken = 0;
  for (size_t length = 0; length < chain.size(); ++length) {
    std::ofstream(folder_ / "part.pem", std::ios::trunc) << chain.substr(0, length);
    if (CertificateMistake(Path("part.pem")).empty()) {
      // The end of the first certificate, or all but the last end of line: nobody can tell, or nothing is missing.
      EXPECT_THAT(length, AnyOf(certificate.size() - 1, certificate.size(), chain.size() - 1));
      ++taken;
    }
  }
  EXPECT_EQ(taken, 3);
}

TEST_F(CertificatesTest, AnIdentityIsTheCertificateWithItsKey) {
  const auto identity = ReadIdentity(Path("cert.pem"), Path("key.pem"));
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->pem, Content("cert.pem") + Content("key.pem"));
  EXPECT_EQ(identity->not_after_s - identity->not_before_s, 7200);
  EXPECT_NEAR(static_cast<double>(identity->not_after_s), static_cast<double>(std::time(nullptr)) + 3600, 60);
  EXPECT_FALSE(ReadIdentity(Path("other/cert.pem"), Path("key.pem")).ok());
}

// As some tools write them, and with what another one left behind.
TEST_F(CertificatesTest, WhatBelongsToTheOtherFileIsLeftOut) {
  std::ofstream(folder_ / "all-cert.pem") << Content("other/key.pem") << Content("cert.pem");
  std::ofstream(folder_ / "all-key.pem") << Content("other/cert.pem") << Content("key.pem");
  const auto identity = ReadIdentity(Path("all-cert.pem"), Path("all-key.pem"));
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->pem, Content("cert.pem") + Content("key.pem"));
}

TEST_F(CertificatesTest, AuthoritiesAreValidUntilTheLastOneIsOver) {
  WriteSelfSignedCertificate(folder_ / "other", /*from_s=*/-100, /*until_s=*/7200);
  std::ofstream(folder_ / "both.pem") << Content("cert.pem") << Content("other/cert.pem");
  const auto both = ReadAuthorities(Path("both.pem"));
  ASSERT_TRUE(both.ok()) << both.status();
  // The first was made before the second; both clocks run.
  EXPECT_GE(both->not_after_s - both->not_before_s, 3600 + 7200);
  EXPECT_LT(both->not_after_s - both->not_before_s, 3600 + 7200 + 3600);
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
