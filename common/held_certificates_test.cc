#include "common/held_certificates.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/certificates_testing.h"
#include "common/health_service.h"
#include "common/ids.h"
#include "gmock/gmock.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/security/tls_certificate_provider.h"
#include "grpcpp/security/tls_credentials_options.h"
#include "gtest/gtest.h"

namespace tutti {
namespace {

using testing::HasSubstr;

class SetClock final : public Clock {
 public:
  int64_t WallMs() const override { return now_s * 1000; }
  int64_t MonotonicMs() const override { return now_s * 1000; }
  std::atomic<int64_t> now_s{std::time(nullptr)};
};

class HeldCertificatesTest : public ::testing::Test {
 protected:
  HeldCertificatesTest() {
    for (const char* name : {"", "next"}) std::filesystem::create_directories(folder_ / name);
    WriteSelfSignedCertificate(folder_);
    WriteSelfSignedCertificate(folder_ / "next", /*from_s=*/-100, /*until_s=*/7200);
    std::filesystem::copy_file(folder_ / "cert.pem", folder_ / "ca.pem");
    files_ = {Path("cert.pem"), Path("key.pem"), Path("ca.pem")};
  }
  ~HeldCertificatesTest() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  std::string Content(const std::string& name) const {
    std::ifstream file(folder_ / name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void Write(const std::string& name, const std::string& content) {
    std::ofstream(folder_ / name, std::ios::trunc) << content;
  }
  void Renew(const std::string& name) { Write(name, Content("next/" + name)); }

  std::shared_ptr<HeldCertificates> MustHold() {
    auto held = HeldCertificates::HoldByHand(files_, &clock_);
    EXPECT_TRUE(held.ok()) << held.status();
    return *held;
  }
  // What it says meanwhile.
  static std::string Look(HeldCertificates* held) {
    testing::internal::CaptureStderr();
    held->Look();
    return testing::internal::GetCapturedStderr();
  }
  static CertificateStatus Of(const HeldCertificates& held, const std::string& kind) {
    const auto all = held.Status();
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.kind == kind; });
    return found == all.end() ? CertificateStatus() : *found;
  }
  int64_t FromNow(const CertificateStatus& status) const { return status.not_after_s - clock_.now_s; }

  const std::filesystem::path folder_ = std::filesystem::temp_directory_path() / ("held-" + RandomHex128());
  CertificateFiles files_;
  SetClock clock_;
};

TEST_F(HeldCertificatesTest, WhatCannotBeUsedIsKeptOutAndToldOnce) {
  const auto held = MustHold();
  EXPECT_EQ(Look(held.get()), "");
  const std::string good = Content("cert.pem");
  std::string garbled = good;
  garbled[good.size() / 2] = '!';
  const std::vector<std::pair<std::string, std::string>> contents = {
      {good.substr(0, good.size() / 2), "no PEM certificate"},
      {garbled, "no PEM certificate"},
      {"", "no PEM certificate"},
      {Content("next/cert.pem"), "no PEM key that fits"},
  };
  for (const auto& [content, why] : contents) {
    Write("cert.pem", content);
    EXPECT_THAT(Look(held.get()), AllOf(HasSubstr("\"level\":\"error\""), HasSubstr(why), HasSubstr(Path("cert.pem"))));
    EXPECT_EQ(Look(held.get()), "") << "the same again";
    EXPECT_TRUE(Of(*held, "identity").rejected) << why;
    EXPECT_FALSE(Of(*held, "ca").rejected);
    EXPECT_NEAR(FromNow(Of(*held, "identity")), 3600, 60) << "the good one is used";
    Write("cert.pem", good);
    EXPECT_THAT(Look(held.get()), HasSubstr("in order again"));
    EXPECT_FALSE(Of(*held, "identity").rejected);
  }
  std::filesystem::remove(folder_ / "cert.pem");
  EXPECT_THAT(Look(held.get()), HasSubstr("No such file"));
  EXPECT_TRUE(Of(*held, "identity").rejected);
}

TEST_F(HeldCertificatesTest, APairIsTakenWhenBothAreThere) {
  const auto held = MustHold();
  Renew("cert.pem");
  EXPECT_THAT(Look(held.get()), HasSubstr("is not used"));
  EXPECT_NEAR(FromNow(Of(*held, "identity")), 3600, 60);
  Renew("key.pem");
  EXPECT_THAT(Look(held.get()), HasSubstr("a renewed certificate is used"));
  EXPECT_FALSE(Of(*held, "identity").rejected);
  EXPECT_NEAR(FromNow(Of(*held, "identity")), 7200, 60);
}

TEST_F(HeldCertificatesTest, AuthoritiesAreHeldByThemselves) {
  const auto held = MustHold();
  Write("ca.pem", "hello");
  Renew("cert.pem");
  Renew("key.pem");
  EXPECT_THAT(Look(held.get()), HasSubstr("ca.pem"));
  EXPECT_TRUE(Of(*held, "ca").rejected);
  EXPECT_NEAR(FromNow(Of(*held, "ca")), 3600, 60);
  EXPECT_NEAR(FromNow(Of(*held, "identity")), 7200, 60) << "the pair does not wait for them";
}

// As Kubernetes changes a secret: the files are links through a link to a folder, which is replaced.
TEST_F(HeldCertificatesTest, AFolderThatIsSwappedIsSeen) {
  std::filesystem::create_directory(folder_ / "first");
  WriteSelfSignedCertificate(folder_ / "first");
  std::filesystem::create_directory_symlink("first", folder_ / "..data");
  for (const char* name : {"cert.pem", "key.pem"}) {
    std::filesystem::remove(folder_ / name);
    std::filesystem::create_symlink(std::filesystem::path("..data") / name, folder_ / name);
  }
  const auto held = MustHold();
  std::filesystem::create_directory_symlink("next", folder_ / "..data_tmp");
  std::filesystem::rename(folder_ / "..data_tmp", folder_ / "..data");
  EXPECT_THAT(Look(held.get()), HasSubstr("a renewed certificate is used"));
  EXPECT_NEAR(FromNow(Of(*held, "identity")), 7200, 60);
}

TEST_F(HeldCertificatesTest, WhatIsNotValidNowWaitsWhileTheFormerIs) {
  const auto held = MustHold();
  WriteSelfSignedCertificate(folder_, /*from_s=*/-7200, /*until_s=*/-3600);
  EXPECT_THAT(Look(held.get()), HasSubstr("it expired at"));
  WriteSelfSignedCertificate(folder_, /*from_s=*/1800, /*until_s=*/9000);
  EXPECT_THAT(Look(held.get()), HasSubstr("it is not valid before"));
  EXPECT_TRUE(Of(*held, "identity").rejected);
  clock_.now_s += 1900;
  EXPECT_THAT(Look(held.get()), HasSubstr("a renewed certificate is used"));
  // What is used is over by now; another that is over as well is no worse.
  clock_.now_s += 9000;
  WriteSelfSignedCertificate(folder_, /*from_s=*/-7200, /*until_s=*/-3600);
  EXPECT_THAT(Look(held.get()), HasSubstr("a renewed certificate is used"));
}

TEST_F(HeldCertificatesTest, OneThatIsOverIsUsedAtTheStartWithAWarning) {
  WriteSelfSignedCertificate(folder_, /*from_s=*/-7200, /*until_s=*/-3600);
  testing::internal::CaptureStderr();
  const auto held = MustHold();
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              AllOf(HasSubstr("\"level\":\"warning\""), HasSubstr("it expired at")));
  EXPECT_FALSE(Of(*held, "identity").rejected);
}

TEST_F(HeldCertificatesTest, WhoNamesTheSameFilesSharesThem) {
  const auto one = HeldCertificates::Hold(files_);
  const auto other = HeldCertificates::Hold(files_);
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_EQ(*one, *other);
  CertificateFiles authorities;
  authorities.ca_file = files_.ca_file;
  const auto third = HeldCertificates::Hold(authorities);
  ASSERT_TRUE(third.ok());
  EXPECT_NE(*one, *third);
  EXPECT_EQ((*third)->Status().size(), 1u);
  Write("ca.pem", "hello");
  authorities.ca_file = Path("absent.pem");
  EXPECT_FALSE(HeldCertificates::Hold(authorities).ok());
}

// What connections see, with certificates asked for on both sides.
class CertificatesOfConnectionsTest : public HeldCertificatesTest {
 protected:
  CertificatesOfConnectionsTest() : held_(MustHold()) {
    grpc::experimental::TlsServerCredentialsOptions tls(held_->NewProvider());
    tls.watch_identity_key_cert_pairs();
    tls.watch_root_certs();
    tls.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::experimental::TlsServerCredentials(tls), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
  }
  ~CertificatesOfConnectionsTest() override { server_->Shutdown(); }

  bool Connects(const std::shared_ptr<grpc::ChannelCredentials>& credentials) const {
    grpc::ChannelArguments args;
    args.SetSslTargetNameOverride("localhost");
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel = grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", port_), credentials, args);
    return channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(2));
  }
  // A client that trusts and shows what is in this folder.
  bool Connects(const std::string& folder) const {
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = Content(folder + "cert.pem");
    ssl.pem_cert_chain = Content(folder + "cert.pem");
    ssl.pem_private_key = Content(folder + "key.pem");
    return Connects(grpc::SslCredentials(ssl));
  }
  template <typename Condition>
  static bool Await(Condition condition) {
    for (int i = 0; i < 60; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    return false;
  }

  const std::shared_ptr<HeldCertificates> held_;
  HealthService service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST_F(CertificatesOfConnectionsTest, SeeTheLastGoodContent) {
  std::filesystem::create_directory(folder_ / "former");
  for (const char* name : {"cert.pem", "key.pem"})
    std::filesystem::copy_file(folder_ / name, folder_ / "former" / name);
  EXPECT_TRUE(Connects("former/"));
  const std::string good = Content("cert.pem");
  Write("cert.pem", good.substr(0, good.size() / 2));
  Write("ca.pem", "hello");
  Look(held_.get());
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));  // gRPC's own interval, in which nothing may happen
  EXPECT_TRUE(Connects("former/"));
  Renew("cert.pem");
  Renew("key.pem");
  Write("ca.pem", Content("next/cert.pem"));
  Look(held_.get());
  EXPECT_TRUE(Await([this] { return Connects("next/"); }));
  EXPECT_FALSE(Connects("former/"));
}

// As the orchestrator is one towards its participants.
TEST_F(CertificatesOfConnectionsTest, AClientUsesThemToo) {
  auto client = HeldCertificates::HoldByHand(files_, &clock_);
  ASSERT_TRUE(client.ok());
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider((*client)->NewProvider());
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  const auto credentials = grpc::experimental::TlsCredentials(options);
  EXPECT_TRUE(Connects(credentials));
  Write("cert.pem", "hello");
  Look(client->get());
  EXPECT_TRUE(Connects(credentials));
  Renew("cert.pem");
  Renew("key.pem");
  Write("ca.pem", Content("next/cert.pem"));
  Look(held_.get());
  EXPECT_TRUE(Await([&] { return !Connects(credentials); })) << "the server changed, the client did not yet";
  Look(client->get());
  EXPECT_TRUE(Await([&] { return Connects(credentials); }));
}

}  // namespace
}  // namespace tutti
