#include "common/utf8.h"

#include <gtest/gtest.h>

namespace tutti {
namespace {

TEST(Utf8Test, TellsCharactersFromOtherBytes) {
  for (const char* text : {"", "plain", "caf\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x8e\xab", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(IsUtf8(text)) << text;
  }
  // Latin-1, cut short, overlong in two, three and four bytes, a surrogate, beyond Unicode, a lone continuation.
  for (const char* text :
       {"caf\xe9", "\xc3", "\xe2\x82", "\xf0\x9f\x8e", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\x80", "\xff"}) {
    EXPECT_FALSE(IsUtf8(text)) << text;
  }
  EXPECT_TRUE(IsUtf8(absl::string_view("\0", 1)));
}

TEST(Utf8Test, ReplacesEachByteThatBelongsToNoCharacter) {
  EXPECT_EQ(ToUtf8("caf\xc3\xa9"), "caf\xc3\xa9");
  EXPECT_EQ(ToUtf8("caf\xe9!"), "caf\xef\xbf\xbd!");
  EXPECT_EQ(ToUtf8("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

TEST(Utf8Test, TruncationKeepsCharactersWhole) {
  EXPECT_EQ(TruncateUtf8("short", 5), "short");
  EXPECT_EQ(TruncateUtf8("longer text", 8), "longe...");
  EXPECT_EQ(TruncateUtf8("a\xc3\xa9\xc3\xa9\xc3\xa9", 5), "a...");  // é is two bytes and not cut in half
  EXPECT_EQ(TruncateUtf8("abcdef", 2), "..");
  EXPECT_EQ(TruncateUtf8("\xf0\x9f\x8e\xab", 4), "\xf0\x9f\x8e\xab");
}

TEST(Utf8Test, TruncationCountsWhatReplacementAdds) {
  for (size_t max = 0; max < 12; ++max) {
    const std::string cut = TruncateUtf8("\xff\xff\xff\xff", max);
    EXPECT_LE(cut.size(), max);
    EXPECT_TRUE(IsUtf8(cut)) << max;
  }
  EXPECT_EQ(TruncateUtf8("\xff\xff\xff", 9), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
}

}  // namespace
}  // namespace tutti
