// SPDX-License-Identifier: Apache-2.0
// The hashes of the log against published values.
#include "engine/audit/crypto.h"

#include "tests/support/catch.h"

namespace wardenv::engine::audit {
namespace {

std::string hmac(std::string_view key, std::string_view bytes) { return to_hex(Hmac(key).of(bytes)); }

TEST_CASE("SHA-256 is that of FIPS 180-4, in one piece and in several") {
  CHECK(to_hex(Sha256::of("")) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(to_hex(Sha256::of("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  Sha256 pieces;
  for (const char* piece : {"abcdbcdecdefdefgefgh", "fghighijhijkijkl", "", "jklmklmnlmnomnopnopq"}) pieces.add(piece);
  CHECK(to_hex(pieces.end()) == "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

// RFC 4231, test cases 1, 2, 6 and 7: keys shorter and longer than a block.
TEST_CASE("HMAC-SHA-256 is that of RFC 4231") {
  CHECK(hmac(std::string(20, '\x0b'), "Hi There") == "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  CHECK(hmac("Jefe", "what do ya want for nothing?") == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  const std::string long_key(131, '\xaa');
  CHECK(hmac(long_key, "Test Using Larger Than Block-Size Key - Hash Key First") == "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  CHECK(hmac(long_key, "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.") ==
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

TEST_CASE("a key that was used once hashes the next bytes as if they were the first") {
  const Hmac key("Jefe");
  const Hmac copy = key;
  const Digest first = key.of("what do ya want for nothing?");
  CHECK(key.of("another text") != first);
  CHECK(key.of("what do ya want for nothing?") == first);
  CHECK(copy.of("what do ya want for nothing?") == first);
}

}  // namespace
}  // namespace wardenv::engine::audit
