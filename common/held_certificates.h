// Certificates as they last could be used. gRPC reads the files of a running process again by itself, and takes what it
// finds: half a file would end every new connection until somebody mends it.
#ifndef TUTTI_COMMON_HELD_CERTIFICATES_H_
#define TUTTI_COMMON_HELD_CERTIFICATES_H_

#include <compare>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/certificates.h"
#include "common/clock.h"
#include "common/memory_file.h"
#include "common/mutex.h"
#include "common/paced_thread.h"

namespace grpc::experimental {
class CertificateProviderInterface;
}

namespace tutti {

struct CertificateFiles {
  std::string certificate_file;  // with private_key_file, or both empty
  std::string private_key_file;
  std::string ca_file;  // or empty

  auto operator<=>(const CertificateFiles&) const = default;
};

// Looks at the files every kLookMs. What they hold is taken when all of it can be read, the key fits the certificate,
// and it is valid now (or what is in use is not either); until then the former content goes on being used, the log says
// why, once for each reason, and the status tells of it. Thread-safe.
class HeldCertificates {
 public:
  static constexpr int64_t kLookMs = 5'000;

  // One for all who name the same files. INVALID_ARGUMENT: what is wrong with them, beginning with the path.
  static absl::StatusOr<std::shared_ptr<HeldCertificates>> Hold(const CertificateFiles& files);
  // One of its own that looks when told to. The clock must outlive it.
  static absl::StatusOr<std::shared_ptr<HeldCertificates>> HoldByHand(const CertificateFiles& files,
                                                                      const Clock* clock);

  // Must not outlive this. Connections made within about a second after a change still see the former content.
  std::shared_ptr<grpc::experimental::CertificateProviderInterface> NewProvider() const;
  std::vector<CertificateStatus> Status() const;
  void Look();

  HeldCertificates(CertificateFiles files, const Clock* clock) : files_(std::move(files)), clock_(clock) {}

 private:
  // What stands and falls together.
  struct Holding {
    std::function<absl::StatusOr<PemMaterial>()> read;
    std::string files;  // for the log
    CertificateStatus status;
    PemMaterial used;
    MemoryFile file;
    std::string told;  // why the present content of the files is not used, as the log has it
  };

  absl::Status ReadFirst();
  absl::Status Take(Holding* holding, PemMaterial material) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Refresh(Holding* holding) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string OutsideItsTime(const PemMaterial& material) const;

  const CertificateFiles files_;
  const Clock* const clock_;
  mutable Mutex mu_;
  std::vector<std::unique_ptr<Holding>> holdings_ ABSL_GUARDED_BY(mu_);
  std::string identity_path_;  // of files in memory; set once
  std::string ca_path_;
  std::unique_ptr<PacedThread> looks_;  // last: it uses the rest
};

}  // namespace tutti

#endif  // TUTTI_COMMON_HELD_CERTIFICATES_H_
