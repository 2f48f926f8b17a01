#include "orchestrator/definition/yaml_tree.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "gtest/gtest.h"

namespace tutti::definition {
namespace {

std::string Mistakes(absl::string_view text) {
  Violations violations;
  ParseTree(text, &violations);
  if (violations.empty()) return "OK";
  std::vector<std::string> lines;
  for (const FieldViolation& violation : ViolationsOf(violations.ToStatus())) {
    lines.push_back(absl::StrCat(violation.field, ": ", violation.description));
  }
  return absl::StrJoin(lines, "\n");
}

std::string Canonical(absl::string_view text) {
  Violations violations;
  const auto tree = ParseTree(text, &violations);
  EXPECT_TRUE(violations.empty()) << text;
  return tree.has_value() ? CanonicalText(*tree) : "";
}

std::string Repeated(absl::string_view part, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) absl::StrAppend(&text, part);
  return text;
}

TEST(YamlTreeTest, KeepsLinesQuotesAndScalarsAsWritten) {
  Violations violations;
  const auto tree = ParseTree("a: 08\nb:\n  - 'no'\n  - no\n", &violations);
  ASSERT_TRUE(tree.has_value());
  EXPECT_EQ(tree->Find("a")->text, "08");
  const Node& list = *tree->Find("b");
  EXPECT_EQ(list.items[0].line, 3);
  EXPECT_TRUE(list.items[0].quoted);
  EXPECT_EQ(list.items[1].text, "no");
  EXPECT_FALSE(list.items[1].quoted);
}

TEST(YamlTreeTest, ReadsJson) {
  EXPECT_EQ(Canonical("{\n\t\"a\": [1, true, null, \"x\\u00e9\\/\"],\n\t\"b\": {\"c\": \"1\"}}"),
            Canonical("b:\n  c: '1'\na:\n  - 1\n  - true\n  - null\n  - xé/\n"));
}

TEST(YamlTreeTest, RefusesWhatCouldMeanSomethingElse) {
  EXPECT_EQ(Mistakes("a: 1\nb: 2\na: 3\n"), "a (line 3): the key is given twice, first on line 1; keep one");
  EXPECT_EQ(Mistakes("s:\n  - x: 1\n    x: 2"), "s[0].x (line 3): the key is given twice, first on line 2; keep one");
  EXPECT_EQ(Mistakes("a: &x 1\n"), "a (line 1): anchors are not allowed; write the value out where it is needed");
  EXPECT_EQ(Mistakes("a: &x 1\nb: *x\n"),
            "a (line 1): anchors are not allowed; write the value out where it is needed\n"
            "b (line 2): aliases are not allowed; write the value out");
  EXPECT_EQ(Mistakes("a:\n  <<: {b: 1}\n"), "a (line 2): merge keys are not allowed; write the entries out");
  EXPECT_EQ(Mistakes("a: !!str 1\n"),
            "a (line 1): tags are not allowed; leave out `tag:yaml.org,2002:str`, the target "
            "field decides the type");
  EXPECT_EQ(Mistakes("a: 1\n---\nb: 1\n"),
            "definition (line 2): the text holds more than one document; apply them one by one");
  EXPECT_EQ(Mistakes("? [a]\n: 1\n"), "definition (line 1): a key must be a single word, not a list or a map");
  EXPECT_EQ(Mistakes(""), "definition (line 1): the text is empty; see docs/definitions.md");
}

TEST(YamlTreeTest, RefusesTextThatIsNotUtf8WithItsLine) {
  for (const char* bad :
       {"a: 1\nb: \xff", "a: 1\nb: \xc0\xaf", "a: 1\nb: \xed\xa0\x80", "a: 1\nb: \x01", "a: 1\nb: \xe2\x82"}) {
    EXPECT_EQ(Mistakes(bad),
              "definition (line 2): the text is not UTF-8, or holds a control character; save it as UTF-8");
  }
  EXPECT_EQ(Mistakes("a: \"한글 😀\""), "OK");
}

TEST(YamlTreeTest, NamesTheLineOfASyntaxError) {
  EXPECT_EQ(Mistakes("a: 1\nb: [1, 2\nc: 3\n").substr(0, 19), "definition (line 3)");
  EXPECT_EQ(Mistakes("a: \"x").substr(0, 27), "definition (line 1): not YA");
}

TEST(YamlTreeTest, AcceptsTheDeepestNestingAndRefusesOneMore) {
  EXPECT_EQ(Mistakes(Repeated("[", 32) + Repeated("]", 32)), "OK");
  EXPECT_NE(Mistakes(Repeated("[", 33) + Repeated("]", 33)).find("nests deeper than 32 levels"), std::string::npos);
}

// Each of these has made some YAML reader recurse to death or take the square of its input.
TEST(YamlTreeTest, HostileTextsEndSoonWithARefusal) {
  const auto start = std::chrono::steady_clock::now();
  for (const char* part : {"[", "{", "- ", "? ",   "[a,",     "{a: ",  "a: {", "&a ", "*a ",   "!",    "\"",
                           "'", "|", ">",  "[]: ", "{a: 1, ", "a:\n ", "%",    "#",   "---\n", "<<: ", "- - ? "}) {
    EXPECT_NE(Mistakes(Repeated(part, 100'001)), "OK") << part;
  }
  const auto elapsed = std::chrono::steady_clock::now() - start;
  EXPECT_LT(std::chrono::duration_cast<std::chrono::seconds>(elapsed).count(), 60);
}

TEST(YamlTreeTest, CanonicalTextIgnoresLayoutAndKeyOrderButNotMeaning) {
  EXPECT_EQ(Canonical("a: x # why\nb: {d: 1, c: 2}\n"), Canonical("b:\n  c: 2\n  d: 1\na: \"x\"\n"));
  EXPECT_NE(Canonical("a: true"), Canonical("a: \"true\""));
  EXPECT_NE(Canonical("a: [1, 2]"), Canonical("a: [2, 1]"));
  EXPECT_NE(Canonical("a: null"), Canonical("a: 'null'"));
  EXPECT_NE(Canonical("a: 'b\",\"c'"), Canonical("a: b\nc: ''"));
}

TEST(YamlTreeTest, TheTextEndsWhereItsDocumentEnds) {
  EXPECT_EQ(Mistakes("a: 1\n%garbage\n%and more\n"),
            "definition (line 2): a line that begins with % is no part of the text; remove or indent it");
  EXPECT_EQ(Mistakes("a: \"the end is missing\n"), "definition (line 3): a quote is opened and never closed; close it");
  EXPECT_EQ(Mistakes("a: 'the end is missing"), "definition (line 1): not YAML: illegal EOF in scalar");
  EXPECT_EQ(Mistakes("%YAML 1.2\n---\na: |\n  50\n  %x\n..."), "OK");
  EXPECT_EQ(Mistakes("a: \"closed\""), "OK");
}

TEST(YamlTreeTest, WhatWasKeptBeforeGoesOnBeingRead) {
  for (const char* text : {"a: 1\n%garbage\n", "a: \"the end is missing\n"}) {
    Violations violations(Violations::Of::kKept);
    EXPECT_TRUE(ParseTree(text, &violations).has_value());
    EXPECT_TRUE(violations.empty()) << text;
  }
}

TEST(YamlTreeTest, JsonsEscapesBeyondTheFirstPlaneAreOneCharacter) {
  EXPECT_EQ(Canonical(R"({"a": "\ud83d\ude00", "b": "\\ud83d\\ude00", "c": "\"\uD83D\uDE00"})"),
            Canonical("a: \"\xF0\x9F\x98\x80\"\nb: '\\ud83d\\ude00'\nc: \"\\\"\xF0\x9F\x98\x80\"\n"));
  EXPECT_NE(Mistakes(R"({"a": "\ud83d"})"), "OK");
  EXPECT_NE(Mistakes(R"({"a": "\ud83d\u0041"})"), "OK");
  EXPECT_EQ(Canonical("{a: '\\ud83d\\ude00'}"), Canonical("a: '\\ud83d\\ude00'"));
}

}  // namespace
}  // namespace tutti::definition
