#include "common/certificate_metrics.h"

namespace tutti {

void DescribeCertificates(const std::vector<CertificateStatus>& certificates, const std::string& side,
                          const std::string& participant, Scrape* scrape) {
  for (const CertificateStatus& certificate : certificates) {
    const prometheus::Labels labels = {{"side", side}, {"participant", participant}, {"kind", certificate.kind}};
    scrape->Set(kCertificateRejected, labels, certificate.rejected ? 1 : 0);
    scrape->Set(kCertificateNotAfter, labels, static_cast<double>(certificate.not_after_s));
  }
}

}  // namespace tutti
