// SPDX-License-Identifier: Apache-2.0
#include "engine/egress/place.h"

namespace wardenv::engine {

std::vector<std::string> egress_environment() {
  const std::string proxy = "http://127.0.0.1:" + std::to_string(kEgressPort);
  const std::string direct = "localhost,127.0.0.1,::1";
  std::vector<std::string> variables;
  // Libraries differ in which case they read; curl reads http_proxy in lower case only. ALL_PROXY names the HTTP proxy too: clients that
  // are told of SOCKS want an extra package for it.
  for (const char* name : {"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"}) variables.push_back(name + ("=" + proxy));
  for (const char* name : {"NO_PROXY", "no_proxy"}) variables.push_back(name + ("=" + direct));
  variables.emplace_back("NODE_USE_ENV_PROXY=1");   // Node.js 22.21 and 24: fetch heeds the variables
  return variables;
}

std::vector<std::string> egress_ca_environment(const std::string& path) {
  std::vector<std::string> variables;
  for (const char* name : {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS", "NPM_CONFIG_CAFILE"}) {
    variables.push_back(name + ("=" + path));
  }
  return variables;
}

}  // namespace wardenv::engine
