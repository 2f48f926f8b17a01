#include "common/certificates.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/read_file.h"

namespace tutti {
namespace {

constexpr size_t kPemBytesMax = 1024 * 1024;

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;

// What OpenSSL says stays in a queue of the thread, where the next call of somebody else would find it.
struct ErrorsForgotten {
  ErrorsForgotten() { ERR_clear_error(); }
  ~ErrorsForgotten() { ERR_clear_error(); }
};

Bio Memory(const std::string& pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), &BIO_free};
}

// A file that is still being written may end within the line that begins its next block, which looks like its end.
bool EndsWithinALine(const std::string& pem) {
  const size_t line = pem.rfind('\n');
  const size_t last = line == std::string::npos ? 0 : line + 1;
  return last < pem.size() && pem[last] == '-' && pem.compare(last, 9, "-----END ") != 0;
}

// All that the text holds; none when one of them is broken.
std::vector<Certificate> Parse(const std::string& pem) {
  const ErrorsForgotten forgotten;
  const Bio bio = Memory(pem);
  std::vector<Certificate> certificates;
  if (EndsWithinALine(pem)) return certificates;
  for (;;) {
    Certificate next(PEM_read_bio_X509_AUX(bio.get(), nullptr, nullptr, nullptr), &X509_free);
    if (next == nullptr) break;
    certificates.push_back(std::move(next));
  }
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) certificates.clear();
  return certificates;
}

// As gRPC will, so that what OpenSSL's level of security refuses is found here.
bool Takes(SSL_CTX* context, const std::vector<Certificate>& certificates) {
  const ErrorsForgotten forgotten;
  if (certificates.empty() || SSL_CTX_use_certificate(context, certificates.front().get()) != 1) return false;
  return std::all_of(certificates.begin() + 1, certificates.end(), [context](const Certificate& certificate) {
    return SSL_CTX_add1_chain_cert(context, certificate.get()) == 1;
  });
}

// Null when there is none.
Key ParseKey(const std::string& pem) {
  const ErrorsForgotten forgotten;
  const Bio bio = Memory(pem);
  // A key with a password would ask for it on the terminal.
  const auto no_password = [](char*, int, int, void*) { return 0; };
  return {PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr), &EVP_PKEY_free};
}

bool TakesKey(SSL_CTX* context, EVP_PKEY* key) {
  const ErrorsForgotten forgotten;
  return key != nullptr && SSL_CTX_use_PrivateKey(context, key) == 1 && SSL_CTX_check_private_key(context) == 1;
}

// Nothing but these: either file may hold what belongs to the other, and whoever reads takes the first of a kind.
std::string Write(const std::vector<Certificate>& certificates, EVP_PKEY* key) {
  const ErrorsForgotten forgotten;
  const Bio bio(BIO_new(BIO_s_mem()), &BIO_free);
  for (const Certificate& certificate : certificates) PEM_write_bio_X509(bio.get(), certificate.get());
  PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return {text, static_cast<size_t>(size)};
}

Context NewContext() {
  return {SSL_CTX_new(TLS_method()), &SSL_CTX_free};
}

absl::Status Mistake(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", what));
}

absl::StatusOr<std::string> Read(const std::string& path) {
  auto content = ReadRegularFile(path, kPemBytesMax);
  if (!content.ok()) return absl::InvalidArgumentError(content.status().message());
  return content;
}

struct Authorities {
  std::string pem;
  std::vector<Certificate> certificates;
};

absl::StatusOr<Authorities> ReadCertificates(const std::string& path) {
  auto pem = Read(path);
  if (!pem.ok()) return pem.status();
  std::vector<Certificate> certificates = Parse(*pem);
  if (!Takes(NewContext().get(), certificates)) return Mistake(path, "no PEM certificate can be read from it");
  return Authorities{*std::move(pem), std::move(certificates)};
}

int64_t Seconds(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? timegm(&parts) : 0;
}

}  // namespace

std::string CertificateMistake(const std::string& path) {
  return std::string(ReadCertificates(path).status().message());
}

std::string PrivateKeyMistake(const std::string& path, const std::string& certificate_path) {
  return std::string(ReadIdentity(certificate_path, path).status().message());
}

absl::StatusOr<PemMaterial> ReadIdentity(const std::string& certificate_file, const std::string& private_key_file) {
  const auto key_text = Read(private_key_file);
  if (!key_text.ok()) return key_text.status();
  const auto chain = ReadCertificates(certificate_file);
  if (!chain.ok()) return chain.status();
  const Context context = NewContext();
  const Key key = ParseKey(*key_text);
  if (!Takes(context.get(), chain->certificates) || !TakesKey(context.get(), key.get())) {
    return Mistake(private_key_file, "no PEM key that fits the certificate can be read from it");
  }
  const X509* own = chain->certificates.front().get();
  return PemMaterial{.pem = Write(chain->certificates, key.get()),
                     .not_before_s = Seconds(X509_get0_notBefore(own)),
                     .not_after_s = Seconds(X509_get0_notAfter(own))};
}

absl::StatusOr<PemMaterial> ReadAuthorities(const std::string& ca_file) {
  auto read = ReadCertificates(ca_file);
  if (!read.ok()) return read.status();
  PemMaterial material{.not_before_s = INT64_MAX, .not_after_s = INT64_MIN};
  for (const Certificate& certificate : read->certificates) {
    material.not_before_s = std::min(material.not_before_s, Seconds(X509_get0_notBefore(certificate.get())));
    material.not_after_s = std::max(material.not_after_s, Seconds(X509_get0_notAfter(certificate.get())));
  }
  material.pem = std::move(read->pem);
  return material;
}

}  // namespace tutti
