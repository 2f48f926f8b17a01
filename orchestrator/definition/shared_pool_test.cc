#include "orchestrator/definition/shared_pool.h"

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "orchestrator/definition/type_pool.h"

namespace tutti::definition {
namespace {

using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;

FileDescriptorProto File(const std::string& text) {
  FileDescriptorProto file;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &file)) << text;
  return file;
}

FileDescriptorSet Shop(const std::string& field) {
  FileDescriptorSet set;
  *set.add_file() =
      File("name: 'shop.proto' package: 'shop' syntax: 'proto3' message_type { name: 'Order' field { name: '" + field +
           "' number: 1 type: TYPE_STRING label: LABEL_OPTIONAL } }" +
           " service { name: 'Shop' method { name: 'Do' input_type: '.shop.Order' output_type: '.shop.Order' } }");
  return set;
}

// The types of one definition whose inline input has the field.
std::unique_ptr<TypePool> Types(const FileDescriptorSet& files, const std::string& input_field) {
  auto types = std::make_unique<TypePool>();
  EXPECT_TRUE(types->AddFiles("shop", files).ok());
  EXPECT_TRUE(types->UseInInput("shop.Order", {.participant = "shop", .file = "shop.proto"}).ok());
  const FileDescriptorProto input =
      File("name: 'input' syntax: 'proto3' dependency: 'shop.proto' message_type { name: 'Input' field { name: '" +
           input_field + "' number: 1 type: TYPE_MESSAGE type_name: '.shop.Order' label: LABEL_OPTIONAL } }");
  EXPECT_TRUE(types->Build(&input).empty());
  return types;
}

TEST(SharedPoolTest, DefinitionsOfEqualFilesShareThemAndNotTheirInputs) {
  const auto first = Types(Shop("sku"), "a");
  const auto second = Types(Shop("sku"), "b");
  const auto other = Types(Shop("code"), "a");
  EXPECT_EQ(first->FindService("shop", "shop.Shop"), second->FindService("shop", "shop.Shop"));
  EXPECT_NE(first->FindService("shop", "shop.Shop"), other->FindService("shop", "shop.Shop"));
  ASSERT_NE(first->FindInputMessage("Input"), nullptr);
  EXPECT_NE(first->FindInputMessage("Input")->FindFieldByName("a"), nullptr);
  EXPECT_EQ(second->FindInputMessage("Input")->FindFieldByName("a"), nullptr);
  // The input's part of a type is the participant's, so that it can be copied as a whole.
  EXPECT_EQ(second->FindInputMessage("Input")->field(0)->message_type(),
            second->FindService("shop", "shop.Shop")->method(0)->input_type());
}

TEST(SharedPoolTest, TheyLastAsLongAsSomebodyHoldsThem) {
  FileSet files;
  ASSERT_TRUE(files.Add(Shop("sku").file(0), "shop").ok());
  std::vector<PoolProblem> problems;
  std::weak_ptr<const google::protobuf::DescriptorPool> pool;
  {
    const auto held = SharedPool(files, &problems);
    pool = held;
    EXPECT_EQ(SharedPool(files, &problems), held);
  }
  EXPECT_TRUE(pool.expired());
  EXPECT_NE(SharedPool(files, &problems), nullptr);
  EXPECT_TRUE(problems.empty());
}

TEST(SharedPoolTest, WhatCannotBeBuiltSaysSoToEverybodyWhoAsks) {
  FileDescriptorProto broken = Shop("sku").file(0);
  broken.mutable_service(0)->mutable_method(0)->set_input_type(".shop.Absent");
  FileSet files;
  ASSERT_TRUE(files.Add(broken, "shop").ok());
  for (int i = 0; i < 2; ++i) {
    std::vector<PoolProblem> problems;
    const auto pool = SharedPool(files, &problems);
    ASSERT_FALSE(problems.empty());
    EXPECT_EQ(problems[0].participant, "shop");
  }
}

}  // namespace
}  // namespace tutti::definition
