// What /metrics says about certificates in use.
#ifndef TUTTI_COMMON_CERTIFICATE_METRICS_H_
#define TUTTI_COMMON_CERTIFICATE_METRICS_H_

#include <string>
#include <vector>

#include "common/certificates.h"
#include "common/process_metrics.h"

namespace tutti {

// `side` is "server", or "client" with the participant that is called.
void DescribeCertificates(const std::vector<CertificateStatus>& certificates, const std::string& side,
                          const std::string& participant, Scrape* scrape);

}  // namespace tutti

#endif  // TUTTI_COMMON_CERTIFICATE_METRICS_H_
