#include "participants/reservation/reservation_service.h"

#include <memory>
#include <string>

#include "participants/reservation/seat_map.h"
#include "tutti/reservation/v1/reservation_service.grpc.pb.h"

namespace tutti::reservation {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;
using participant::CallHost;
using participant::CommandContext;
using participant::Fill;
using participant::ReadView;
using participant::WriteView;

constexpr char kCreateConcert[] = "tutti.reservation.v1.ReservationService/CreateConcert";
constexpr char kHold[] = "tutti.reservation.v1.ReservationService/Hold";
constexpr char kConfirm[] = "tutti.reservation.v1.ReservationService/Confirm";
constexpr char kCancelConfirmation[] = "tutti.reservation.v1.ReservationService/CancelConfirmation";

class Service final : public v1::ReservationService::CallbackService {
 public:
  explicit Service(const CallHost& host) : host_(host) {}

  ServerUnaryReactor* CreateConcert(CallbackServerContext* context, const v1::CreateConcertRequest* request,
                                    v1::CreateConcertResponse* reply) override {
    return RunWrite(host_, {context, kCreateConcert, request, reply}, [=](WriteView& view) {
      return Fill(reservation::CreateConcert(view, *request), reply->mutable_concert());
    });
  }

  ServerUnaryReactor* Hold(CallbackServerContext* context, const v1::HoldRequest* request,
                           v1::HoldResponse* reply) override {
    return RunWrite(host_, {context, kHold, request, reply}, [this, request, reply](WriteView& view) {
      return Fill(reservation::Hold(view, *request, host_.clock->WallMs()), reply->mutable_reservation());
    });
  }

  ServerUnaryReactor* Confirm(CallbackServerContext* context, const v1::ConfirmRequest* request,
                              v1::ConfirmResponse* reply) override {
    return RunAction(
        host_, {context, kConfirm, request, reply},
        [this, request, reply](WriteView& view, const CommandContext& command, std::string* undo_reference) {
          *undo_reference = request->reservation_id();
          return Fill(reservation::Confirm(view, *request, command.saga_id, host_.clock->WallMs()),
                      reply->mutable_reservation());
        });
  }

  ServerUnaryReactor* CancelConfirmation(CallbackServerContext* context, const v1::CancelConfirmationRequest* request,
                                         v1::CancelConfirmationResponse* reply) override {
    return RunInverse(host_, {context, kCancelConfirmation, request, reply},
                      [this, reply](WriteView& view, absl::string_view undo_reference) {
                        return Fill(reservation::CancelConfirmation(view, undo_reference, host_.clock->WallMs()),
                                    reply->mutable_reservation());
                      });
  }

  ServerUnaryReactor* GetReservation(CallbackServerContext* context, const v1::GetReservationRequest* request,
                                     v1::GetReservationResponse* reply) override {
    return RunRead(host_, context, [=](const ReadView& view) {
      return Fill(reservation::GetReservation(view, request->reservation_id()), reply->mutable_reservation());
    });
  }

  ServerUnaryReactor* ListSeats(CallbackServerContext* context, const v1::ListSeatsRequest* request,
                                v1::ListSeatsResponse* reply) override {
    return RunRead(host_, context,
                   [=](const ReadView& view) { return Fill(reservation::ListSeats(view, *request), reply); });
  }

 private:
  const CallHost host_;
};

}  // namespace

participant::ParticipantSpec ReservationSpec() {
  return {"reservation", {kCreateConcert, kHold, kConfirm, kCancelConfirmation}, [](const CallHost& host) {
            return std::make_unique<Service>(host);
          }};
}

}  // namespace tutti::reservation
