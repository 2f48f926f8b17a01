// The rules of seats: a seat belongs to one reservation at most, from its hold until its cancellation. Pure apart from
// the view.
#ifndef TUTTI_PARTICIPANTS_RESERVATION_SEAT_MAP_H_
#define TUTTI_PARTICIPANTS_RESERVATION_SEAT_MAP_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "participants/sdk/view.h"
#include "tutti/reservation/v1/reservation.pb.h"
#include "tutti/reservation/v1/reservation_service.pb.h"

namespace tutti::reservation {

// Idempotent; ALREADY_EXISTS with another seat count.
absl::StatusOr<v1::Concert> CreateConcert(participant::WriteView& view, const v1::CreateConcertRequest& request);

// Idempotent per reservation id; ALREADY_EXISTS with other content, NOT_FOUND, OUT_OF_RANGE, or FAILED_PRECONDITION for
// a taken seat.
absl::StatusOr<v1::Reservation> Hold(participant::WriteView& view, const v1::HoldRequest& request, int64_t now_ms);

// HELD to CONFIRMED. Final refusals: INVALID_ARGUMENT, NOT_FOUND, FAILED_PRECONDITION when it is not held.
absl::StatusOr<v1::Reservation> Confirm(participant::WriteView& view, const v1::ConfirmRequest& request,
                                        absl::string_view saga_id, int64_t now_ms);

// CONFIRMED to CANCELLED, and the seat is free again; from any other state an INTERNAL error, as the barrier asks only
// once and only for what its own step confirmed.
absl::StatusOr<v1::Reservation> CancelConfirmation(participant::WriteView& view, absl::string_view reservation_id,
                                                   int64_t now_ms);

absl::StatusOr<v1::Reservation> GetReservation(const participant::ReadView& view, absl::string_view reservation_id);
absl::StatusOr<v1::ListSeatsResponse> ListSeats(const participant::ReadView& view, const v1::ListSeatsRequest& request);

}  // namespace tutti::reservation

#endif  // TUTTI_PARTICIPANTS_RESERVATION_SEAT_MAP_H_
