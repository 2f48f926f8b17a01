#include "tests/fuzz/shop_definition.h"

#include "common/check.h"
#include "tutti_test/shop.pb.h"

namespace tutti::fuzz {
namespace {

constexpr char kDefinition[] = R"(
name: buy
input: {user: string, price: int64, small: "optional int32", tags: repeated string, order: shop.v1.Order, extra: google.protobuf.Struct}
labels: {user: "${input.user}"}
timeout: 30s
steps:
  - name: pay
    participant: shop
    deadline: 20s
    action:
      method: shop.v1.PayService/Pay
      request:
        user_id: "${input.user}"
        amount: "${input.price}"
        memo: "order ${input.order.order_id | default('none')} of ${saga.id}"
        tags: "${input.tags}"
        narrow: "${input.small | default(7)}"
        order: "${input.order}"
        extra: "${input.extra}"
      metadata: {x-user: "${input.user}"}
      rejected_when: {refused: true}
    compensation:
      method: shop.v1.PayService/Refund
      request: {payment_key: "${steps.pay.key}", payment_id: "${steps.pay.reply.payment_id | default('')}"}
  - name: note
    participant: shop
    action:
      method: shop.v1.PayService/Pay
      request: {memo: "${steps.pay.reply.payment_id}", tags: "${steps.pay.reply.tags}", order: "${steps.pay.reply.order}"}
    compensation: none
  - name: ship
    participant: shop
    kind: retriable
    action:
      method: shop.v1.PayService/Pay
      request: {amount: "${steps.pay.reply.points}", counts: "${steps.pay.reply.counts}", due: "${steps.pay.reply.time}"}
output: {payment: "${steps.pay.reply}", note: "${steps.note.reply.note | default('-')}"}
)";

}  // namespace

bool ShopSource::KnowsParticipant(absl::string_view participant) const {
  return participant == "shop" || participant == "gone";
}

absl::StatusOr<google::protobuf::FileDescriptorSet> ShopSource::FindSymbol(absl::string_view participant,
                                                                           absl::string_view symbol) {
  if (participant == "gone") return absl::UnavailableError("connection refused");
  // Through a message, so that the linker keeps the file.
  const auto* pool = shop::v1::PayRequest::descriptor()->file()->pool();
  const auto* file = pool->FindFileContainingSymbol(std::string(symbol));
  if (file == nullptr || file->package() != "shop.v1") return absl::NotFoundError(std::string(symbol));
  google::protobuf::FileDescriptorSet set;
  file->CopyTo(set.add_file());
  for (int i = 0; i < file->dependency_count(); ++i) file->dependency(i)->CopyTo(set.add_file());
  return set;
}

std::shared_ptr<const definition::CompiledDefinition> ShopDefinition() {
  ShopSource source;
  const auto compiled = definition::Compile(kDefinition, 1, &source);
  TUTTI_CHECK(compiled.ok(), compiled.status().ToString().c_str());
  return compiled->definition;
}

}  // namespace tutti::fuzz
