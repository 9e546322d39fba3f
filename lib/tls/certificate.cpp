#include "tls/certificate.h"

#include <openssl/ocsp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace wharf::tls {
namespace {

constexpr int days_of_warning = 30;
constexpr long skew_of_clocks = 300;                                 // seconds
constexpr std::size_t largest_file = std::size_t{64} * 1024 * 1024;  // lists of revocations may be long

/// Gives the key's pass-phrase to OpenSSL, which asks for it only if the key is encrypted.
int give_passphrase(char* into, int size, int /*writing*/, void* text) {
  const auto& passphrase = *static_cast<const std::string*>(text);
  if (passphrase.empty() || passphrase.size() > static_cast<std::size_t>(size)) return -1;
  std::copy(passphrase.begin(), passphrase.end(), into);
  return static_cast<int>(passphrase.size());
}

base::Result<std::string, std::string> first_line(const std::string& file) {
  const auto text = read_file(file);
  if (!text || text->empty())
    return base::Failure{base::concat("cannot read a pass-phrase from '", file, "'; its first line must be the pass-phrase")};
  std::string line = text->substr(0, text->find('\n'));
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

template <class Type, class Read>
std::vector<Owned<Type>> all_in(std::string_view text, Read read) {
  std::vector<Owned<Type>> found;
  const Owned<BIO> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (!bio) return found;
  while (Type* const each = read(bio.get(), nullptr, nullptr, nullptr)) found.emplace_back(each);
  if (found.empty()) return found;
  if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) ERR_clear_error();  // the end of the text
  else found.clear();
  return found;
}

std::time_t time_of(const ASN1_TIME* moment) {
  std::tm parts{};
  return moment != nullptr && ASN1_TIME_to_tm(moment, &parts) == 1 ? timegm(&parts) : 0;
}

/// Its number, and the name of its issuer: the key of the issuer would be in a certificate that need not be at hand.
bool is_about(const OCSP_SINGLERESP* single, const X509* certificate) {
  ASN1_OCTET_STRING* issuer_name = nullptr;
  ASN1_OBJECT* hash = nullptr;
  ASN1_INTEGER* serial = nullptr;
  auto* const id = const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(single));
  if (OCSP_id_get0_info(&issuer_name, &hash, nullptr, &serial, id) != 1) return false;
  if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(certificate)) != 0) return false;
  const EVP_MD* const digest = EVP_get_digestbyobj(hash);
  std::array<unsigned char, EVP_MAX_MD_SIZE> expected{};
  unsigned int size = 0;
  if (digest == nullptr || X509_NAME_digest(X509_get_issuer_name(certificate), digest, expected.data(), &size) != 1) return false;
  return std::cmp_equal(ASN1_STRING_length(issuer_name), size) &&
         std::memcmp(ASN1_STRING_get0_data(issuer_name), expected.data(), size) == 0;
}

/// What is wrong with a response, if anything; fills in the times.
std::string examine(Staple& staple, const X509* certificate) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(staple.response.data());
  const Owned<OCSP_RESPONSE> response(d2i_OCSP_RESPONSE(nullptr, &bytes, static_cast<long>(staple.response.size())));
  if (!response) return "is not an OCSP response in DER";
  if (OCSP_response_status(response.get()) != OCSP_RESPONSE_STATUS_SUCCESSFUL) return "says that the authority had no answer";
  const Owned<OCSP_BASICRESP> basic(OCSP_response_get1_basic(response.get()));
  const int count = basic ? OCSP_resp_count(basic.get()) : 0;
  for (int i = 0; i < count; ++i) {
    OCSP_SINGLERESP* const single = OCSP_resp_get0(basic.get(), i);
    if (!is_about(single, certificate)) continue;
    ASN1_GENERALIZEDTIME* from = nullptr;
    ASN1_GENERALIZEDTIME* until = nullptr;
    const int status = OCSP_single_get0_status(single, nullptr, nullptr, &from, &until);
    staple.from = time_of(from);
    staple.until = time_of(until);
    return status == V_OCSP_CERTSTATUS_GOOD ? std::string() : "does not say that the certificate is good";
  }
  return "is about another certificate";
}

Staple load_staple(const std::string& file, const X509* certificate) {
  Staple staple{.file = file, .response = {}, .fault = {}};
  auto bytes = read_file(file);
  if (bytes) {
    staple.response = std::move(*bytes);
    staple.fault = examine(staple, certificate);
  } else {
    staple.fault = base::concat("cannot be read (", bytes.error(), ")");
  }
  ERR_clear_error();
  return staple;
}

std::string warning_of(const X509* certificate) {
  int days = 0;
  int seconds = 0;
  if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notBefore(certificate)) == 1 && (days > 0 || seconds > 0))
    return "is not valid yet";
  if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate)) != 1) return {};
  if (days < 0 || seconds < 0) return "has expired";
  return days < days_of_warning ? base::concat("expires in ", days, days == 1 ? " day" : " days") : std::string();
}

}  // namespace

base::Result<std::string, std::string> read_file(const std::string& file) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> stream(std::fopen(file.c_str(), "rbe"), std::fclose);
  if (!stream) return base::Failure{std::string(std::strerror(errno))};
  std::string text;
  std::array<char, 16'384> piece{};
  while (const std::size_t size = std::fread(piece.data(), 1, piece.size(), stream.get())) {
    text.append(piece.data(), size);
    if (text.size() > largest_file) return base::Failure{std::string("it is too large")};
  }
  if (std::ferror(stream.get()) != 0) return base::Failure{std::string(std::strerror(errno))};
  return text;
}

std::vector<Owned<X509>> certificates_in(std::string_view text) { return all_in<X509>(text, PEM_read_bio_X509); }
std::vector<Owned<X509_CRL>> revocation_lists_in(std::string_view text) { return all_in<X509_CRL>(text, PEM_read_bio_X509_CRL); }

base::Result<LoadedCertificate, std::string> load_certificate(const CertificateFiles& files) {
  const auto cannot_read = [](const char* what, const std::string& file, std::string_view why, const char* advice) {
    return base::Failure{base::concat("cannot read a ", what, " from '", file, "': ", why, "; it must be PEM", advice)};
  };
  LoadedCertificate loaded;
  loaded.file = files.chain;
  const auto chain = read_file(files.chain);
  if (!chain) return cannot_read("certificate", files.chain, chain.error(), "");
  auto certificates = certificates_in(*chain);
  if (certificates.empty()) return cannot_read("certificate", files.chain, take_error(), "");
  loaded.own = std::move(certificates.front());
  loaded.chain.reset(sk_X509_new_null());
  for (std::size_t i = 1; i < certificates.size() && loaded.chain; ++i)
    if (sk_X509_push(loaded.chain.get(), certificates[i].get()) > 0) (void)certificates[i].release();

  std::string passphrase;
  if (!files.passphrase.empty()) {
    auto line = first_line(files.passphrase);
    if (!line) return base::Failure{line.error()};
    passphrase = std::move(*line);
  }
  const std::string& key_file = files.key.empty() ? files.chain : files.key;
  constexpr const char* advice = ", and an encrypted one needs the file of its pass-phrase";
  const auto key = files.key.empty() ? chain : read_file(files.key);
  if (!key) return cannot_read("private key", key_file, key.error(), advice);
  const Owned<BIO> bio(BIO_new_mem_buf(key->data(), static_cast<int>(key->size())));
  if (bio) loaded.key.reset(PEM_read_bio_PrivateKey(bio.get(), nullptr, give_passphrase, &passphrase));
  if (!loaded.key) return cannot_read("private key", key_file, take_error(), advice);
  if (X509_check_private_key(loaded.own.get(), loaded.key.get()) != 1) {
    ERR_clear_error();
    return base::Failure{base::concat("the key in '", key_file, "' does not belong to the certificate in '", files.chain, "'")};
  }
  if (!files.ocsp_response.empty()) loaded.staple = load_staple(files.ocsp_response, loaded.own.get());
  return loaded;
}

base::Result<LoadedCertificate, std::string> load_certificate(const KeyPair& pair) {
  LoadedCertificate loaded;
  loaded.own = read_pem<X509>(pair.certificate, PEM_read_bio_X509);
  loaded.key = read_pem<EVP_PKEY>(pair.key, PEM_read_bio_PrivateKey);
  if (!loaded.own || !loaded.key)
    return base::Failure{base::concat("the pair of key and certificate cannot be used: ", take_error())};
  return loaded;
}

bool Staple::is_current(std::time_t now) const {
  return !response.empty() && fault.empty() && from <= now + skew_of_clocks && (until == 0 || now <= until);
}

std::vector<std::string> LoadedCertificate::warnings() const {
  std::vector<std::string> lines;
  if (file.empty()) return lines;  // made by this process
  if (const std::string text = warning_of(own.get()); !text.empty())
    lines.push_back(base::concat("the certificate in '", file, "' ", text));
  if (staple.file.empty()) return lines;
  const std::time_t now = std::time(nullptr);
  if (!staple.fault.empty())
    lines.push_back(base::concat("the OCSP response in '", staple.file, "' ", staple.fault, "; it is not sent"));
  else if (!staple.is_current(now))
    lines.push_back(base::concat("the OCSP response in '", staple.file, "' ",
                                 now < staple.from ? "is not valid yet" : "has expired", "; it is not sent"));
  return lines;
}

std::string fingerprint(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return {};
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    if (i != 0) text += ':';
    text += digits[digest[i] >> 4U];
    text += digits[digest[i] & 15U];
  }
  return text;
}

}  // namespace wharf::tls
