// Certificate files in PEM, read and checked: gRPC would only log what it cannot use when a connection comes about.
#ifndef TUTTI_COMMON_CERTIFICATES_H_
#define TUTTI_COMMON_CERTIFICATES_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace tutti {

// Empty when the file holds certificates in PEM, all of them whole; else what is wrong, beginning with the path.
// Thread-safe, as all here.
std::string CertificateMistake(const std::string& path);

// Empty when the file holds the private key, in PEM and without a password, of the first certificate in
// `certificate_path`.
std::string PrivateKeyMistake(const std::string& path, const std::string& certificate_path);

// What was read from files, at one moment, and found usable.
struct PemMaterial {
  std::string pem;
  int64_t not_before_s = 0;  // since the epoch
  int64_t not_after_s = 0;
};

// A certificate with its chain, and its key; `pem` holds these and nothing else of the files. The times are those of
// the first certificate. INVALID_ARGUMENT: the mistake, as above.
absl::StatusOr<PemMaterial> ReadIdentity(const std::string& certificate_file, const std::string& private_key_file);

// Certificates of authorities: valid from the first of them on, and until the last one is over.
absl::StatusOr<PemMaterial> ReadAuthorities(const std::string& ca_file);

// How certificates in use stand to their files; see held_certificates.h.
struct CertificateStatus {
  const char* kind = "";    // "identity" or "ca"
  bool rejected = false;    // what the files hold now is not what is used
  int64_t not_after_s = 0;  // of what is used
};

}  // namespace tutti

#endif  // TUTTI_COMMON_CERTIFICATES_H_
