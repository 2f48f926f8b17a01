#include "common/held_certificates.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/logging.h"
#include "grpcpp/security/tls_certificate_provider.h"

namespace tutti {
namespace {

// How often gRPC looks at what is held, which is memory.
constexpr unsigned kProviderSeconds = 1;

const Clock* WallClock() {
  static const SystemClock clock;
  return &clock;
}

std::string Written(int64_t seconds) {
  return absl::FormatTime(absl::RFC3339_sec, absl::FromUnixSeconds(seconds), absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<std::shared_ptr<HeldCertificates>> HeldCertificates::Hold(const CertificateFiles& files) {
  struct Shared {
    Mutex mu;
    std::map<CertificateFiles, std::weak_ptr<HeldCertificates>> held ABSL_GUARDED_BY(mu);
  };
  static auto* const shared = new Shared;
  MutexLock lock(&shared->mu);
  std::weak_ptr<HeldCertificates>& place = shared->held[files];
  if (auto present = place.lock()) return present;
  auto fresh = HoldByHand(files, WallClock());
  if (!fresh.ok()) return fresh;
  (*fresh)->looks_ = std::make_unique<PacedThread>(kLookMs, [raw = fresh->get()] {
    raw->Look();
    return kLookMs;
  });
  place = *fresh;
  return fresh;
}

absl::StatusOr<std::shared_ptr<HeldCertificates>> HeldCertificates::HoldByHand(const CertificateFiles& files,
                                                                               const Clock* clock) {
  auto held = std::make_shared<HeldCertificates>(files, clock);
  if (absl::Status status = held->ReadFirst(); !status.ok()) return status;
  return held;
}

absl::Status HeldCertificates::ReadFirst() {
  MutexLock lock(&mu_);
  const auto add = [this](const char* kind, std::string names, std::string* path, auto read)
                       ABSL_NO_THREAD_SAFETY_ANALYSIS {
                         auto holding = std::make_unique<Holding>();
                         holding->read = std::move(read);
                         holding->files = std::move(names);
                         holding->status.kind = kind;
                         auto material = holding->read();
                         if (!material.ok()) return material.status();
                         if (const std::string outside = OutsideItsTime(*material); !outside.empty()) {
                           Log(LogLevel::kWarning, "a certificate is used outside its time",
                               {{"files", holding->files}, {"reason", outside}});
                         }
                         if (absl::Status status = Take(holding.get(), *std::move(material)); !status.ok())
                           return status;
                         *path = holding->file.path();
                         holdings_.push_back(std::move(holding));
                         return absl::OkStatus();
                       };
  absl::Status status;
  if (!files_.certificate_file.empty()) {
    status = add("identity", absl::StrCat(files_.certificate_file, ", ", files_.private_key_file), &identity_path_,
                 [this] { return ReadIdentity(files_.certificate_file, files_.private_key_file); });
  }
  if (status.ok() && !files_.ca_file.empty()) {
    status = add("ca", files_.ca_file, &ca_path_, [this] { return ReadAuthorities(files_.ca_file); });
  }
  return status;
}

std::shared_ptr<grpc::experimental::CertificateProviderInterface> HeldCertificates::NewProvider() const {
  return std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(identity_path_, identity_path_, ca_path_,
                                                                              kProviderSeconds);
}

std::vector<CertificateStatus> HeldCertificates::Status() const {
  MutexLock lock(&mu_);
  std::vector<CertificateStatus> all;
  for (const auto& holding : holdings_) all.push_back(holding->status);
  return all;
}

void HeldCertificates::Look() {
  MutexLock lock(&mu_);
  for (const auto& holding : holdings_) {
    const absl::Status status = Refresh(holding.get());
    holding->status.rejected = !status.ok();
    const std::string reason(status.message());
    if (holding->told == reason) continue;
    holding->told = reason;
    if (!status.ok()) {
      Log(LogLevel::kError, "a renewed certificate is not used; the last good one holds",
          {{"files", holding->files}, {"reason", reason}, {"not_after", Written(holding->used.not_after_s)}});
    } else {
      Log(LogLevel::kInfo, "the certificate's files are in order again", {{"files", holding->files}});
    }
  }
}

absl::Status HeldCertificates::Refresh(Holding* holding) {
  auto material = holding->read();
  if (!material.ok()) return material.status();
  if (material->pem == holding->used.pem) return absl::OkStatus();
  const std::string outside = OutsideItsTime(*material);
  if (!outside.empty() && OutsideItsTime(holding->used).empty()) return absl::InvalidArgumentError(outside);
  if (absl::Status status = Take(holding, *std::move(material)); !status.ok()) return status;
  Log(LogLevel::kInfo, "a renewed certificate is used",
      {{"files", holding->files}, {"not_after", Written(holding->used.not_after_s)}});
  return absl::OkStatus();
}

absl::Status HeldCertificates::Take(Holding* holding, PemMaterial material) {
  if (absl::Status status = holding->file.Replace(material.pem); !status.ok()) return status;
  holding->status.not_after_s = material.not_after_s;
  holding->used = std::move(material);
  return absl::OkStatus();
}

std::string HeldCertificates::OutsideItsTime(const PemMaterial& material) const {
  const int64_t now_s = clock_->WallMs() / 1000;
  if (now_s < material.not_before_s) return absl::StrCat("it is not valid before ", Written(material.not_before_s));
  if (now_s > material.not_after_s) return absl::StrCat("it expired at ", Written(material.not_after_s));
  return "";
}

}  // namespace tutti
