// What gRPC would only log when a connection comes about: certificate files that it cannot use.
#ifndef TUTTI_COMMON_CERTIFICATES_H_
#define TUTTI_COMMON_CERTIFICATES_H_

#include <string>

namespace tutti {

// Empty when the file holds a certificate in PEM; else what is wrong, beginning with the path. Thread-safe, as the
// other.
std::string CertificateMistake(const std::string& path);

// Empty when the file holds the private key, in PEM and without a password, of the first certificate in
// `certificate_path`.
std::string PrivateKeyMistake(const std::string& path, const std::string& certificate_path);

}  // namespace tutti

#endif  // TUTTI_COMMON_CERTIFICATES_H_
