#include "common/certificates.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <memory>

#include "absl/strings/str_cat.h"
#include "common/read_file.h"

namespace tutti {
namespace {

constexpr size_t kPemBytesMax = 1024 * 1024;

using Context = std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)>;

// OpenSSL opens files by itself, and would wait for what is no file.
std::string FileMistake(const std::string& path) {
  const auto content = ReadRegularFile(path, kPemBytesMax);
  return content.ok() ? "" : std::string(content.status().message());
}

// What it says stays in a queue of the thread, where the next call of somebody else would find it.
bool Succeeded(int result) {
  ERR_clear_error();
  return result == 1;
}

bool TakesCertificate(SSL_CTX* context, const std::string& path) {
  return Succeeded(SSL_CTX_use_certificate_chain_file(context, path.c_str()));
}

}  // namespace

std::string CertificateMistake(const std::string& path) {
  if (std::string mistake = FileMistake(path); !mistake.empty()) return mistake;
  const Context context(SSL_CTX_new(TLS_method()), &SSL_CTX_free);
  if (TakesCertificate(context.get(), path)) return "";
  return absl::StrCat(path, ": no PEM certificate can be read from it");
}

std::string PrivateKeyMistake(const std::string& path, const std::string& certificate_path) {
  if (std::string mistake = FileMistake(path); !mistake.empty()) return mistake;
  const Context context(SSL_CTX_new(TLS_method()), &SSL_CTX_free);
  // A key with a password would ask for it on the terminal.
  SSL_CTX_set_default_passwd_cb(context.get(), [](char*, int, int, void*) { return 0; });
  if (TakesCertificate(context.get(), certificate_path) &&
      Succeeded(SSL_CTX_use_PrivateKey_file(context.get(), path.c_str(), SSL_FILETYPE_PEM)) &&
      Succeeded(SSL_CTX_check_private_key(context.get()))) {
    return "";
  }
  return absl::StrCat(path, ": no PEM key that fits the certificate can be read from it");
}

}  // namespace tutti
