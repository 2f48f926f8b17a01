#include "common/ids.h"

#include "common/errors.h"
#include "common/limits.h"
#include "gtest/gtest.h"

namespace tutti {
namespace {

TEST(IdsTest, RandomIdsAreHexAndDiffer) {
  const std::string a = RandomHex128();
  EXPECT_EQ(a.size(), 32u);
  EXPECT_EQ(a.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(a, RandomHex128());
}

TEST(IdsTest, SagaIdsArePrintableAndBounded) {
  EXPECT_TRUE(ValidateSagaId("order:42_A.b~").ok());
  EXPECT_TRUE(ValidateSagaId(std::string(limits::kSagaIdBytesMax, 'a')).ok());
  for (const std::string& bad :
       {std::string(), std::string("a b"), std::string("a/b"), std::string("a|b"), std::string("\xc3\xa9"),
        std::string("a\n"), std::string("a\0b", 3), std::string(limits::kSagaIdBytesMax + 1, 'a')}) {
    const absl::Status status = ValidateSagaId(bad, "id");
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << bad;
    EXPECT_EQ(ReasonOf(status), "SAGA_ID_INVALID");
    ASSERT_EQ(ViolationsOf(status).size(), 1u);
    EXPECT_EQ(ViolationsOf(status)[0].field, "id");
  }
}

TEST(IdsTest, NamesAreDnsLabels) {
  EXPECT_TRUE(ValidateName("book-ticket", "name").ok());
  EXPECT_TRUE(ValidateName("3d", "name").ok());
  for (const std::string& bad : {std::string(), std::string("-a"), std::string("a-"), std::string("Book"),
                                 std::string("a_b"), std::string("a.b"), std::string(limits::kNameBytesMax + 1, 'a')}) {
    EXPECT_EQ(ReasonOf(ValidateName(bad, "name")), "NAME_INVALID") << bad;
  }
}

}  // namespace
}  // namespace tutti
