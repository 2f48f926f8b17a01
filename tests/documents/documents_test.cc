// Every definition that README.md and docs/ show, and every one that ships, compiles against the services it names.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "google/protobuf/descriptor.h"
#include "orchestrator/definition/compiler.h"
#include "readme/bank.pb.h"
#include "readme/stock.pb.h"
#include "reference/shop.pb.h"
#include "tutti/payment/v1/payment_service.pb.h"
#include "tutti/reservation/v1/reservation_service.pb.h"
#include "tutti/token/v1/token_service.pb.h"

namespace tutti {
namespace {

// Any participant serves whatever is linked into this test.
class LinkedDescriptors final : public definition::DescriptorSource {
 public:
  bool KnowsParticipant(absl::string_view) const override { return true; }
  absl::StatusOr<google::protobuf::FileDescriptorSet> FindSymbol(absl::string_view, absl::string_view symbol) override {
    const auto* file =
        google::protobuf::DescriptorPool::generated_pool()->FindFileContainingSymbol(std::string(symbol));
    if (file == nullptr) return absl::NotFoundError(std::string(symbol));
    google::protobuf::FileDescriptorSet set;
    Add(*file, &set);
    return set;
  }

 private:
  static void Add(const google::protobuf::FileDescriptor& file, google::protobuf::FileDescriptorSet* set) {
    file.CopyTo(set->add_file());
    for (int i = 0; i < file.dependency_count(); ++i) Add(*file.dependency(i), set);
  }
};

// Uses one message of each file, so that the linker keeps them all.
void KeepDescriptors() {
  shop::stock::v1::ReserveRequest::descriptor();
  shop::bank::v1::TransferRequest::descriptor();
  shop::v1::ReserveRequest::descriptor();
  payment::v1::ChargeRequest::descriptor();
  reservation::v1::ConfirmRequest::descriptor();
  token::v1::ExpireTokenRequest::descriptor();
}

std::string Read(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The yaml blocks of a page that are definitions.
std::vector<std::string> DefinitionsIn(const std::string& page) {
  std::vector<std::string> definitions;
  const std::string open = "```yaml\n";
  for (size_t at = page.find(open); at != std::string::npos; at = page.find(open, at)) {
    at += open.size();
    const std::string block = page.substr(at, page.find("```", at) - at);
    if (block.starts_with("name:")) definitions.push_back(block);
  }
  return definitions;
}

void ExpectCompiles(const std::string& text, const std::string& where) {
  LinkedDescriptors source;
  const auto compiled = definition::Compile(text, 1, &source);
  EXPECT_TRUE(compiled.ok()) << where << ": " << compiled.status();
}

TEST(DocumentsTest, DefinitionsOfTheReadmeCompile) {
  KeepDescriptors();
  const auto definitions = DefinitionsIn(Read("../README.md"));
  ASSERT_FALSE(definitions.empty());
  for (const std::string& text : definitions) ExpectCompiles(text, "README.md");
}

TEST(DocumentsTest, DefinitionsOfTheReferenceCompile) {
  KeepDescriptors();
  const auto definitions = DefinitionsIn(Read("../docs/definitions.md"));
  ASSERT_FALSE(definitions.empty());
  for (const std::string& text : definitions) ExpectCompiles(text, "docs/definitions.md");
}

TEST(DocumentsTest, DefinitionsThatShipCompile) {
  KeepDescriptors();
  int count = 0;
  for (const char* folder : {"../participants/sagas", "../charts/tutti/definitions"}) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      if (entry.path().filename() == "participants.yaml") continue;
      ExpectCompiles(Read(entry.path()), entry.path().string());
      ++count;
    }
  }
  EXPECT_GE(count, 5);
}

}  // namespace
}  // namespace tutti
