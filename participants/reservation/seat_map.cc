#include "participants/reservation/seat_map.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "participants/sdk/inbox.h"
#include "participants/sdk/paging.h"
#include "participants/sdk/requests.h"

namespace tutti::reservation {
namespace {

using participant::CheckId;
using participant::FinalRefusal;
using participant::GetMessage;
using participant::PutMessage;
using participant::ReadView;
using participant::WriteView;

std::string ConcertKey(absl::string_view concert) {
  return absl::StrCat("concert/", concert);
}
std::string ReservationKey(absl::string_view reservation) {
  return absl::StrCat("reservation/", reservation);
}
std::string SeatPrefix(absl::string_view concert) {
  return absl::StrCat("seat/", concert, "/");
}
std::string SeatKey(absl::string_view concert, int64_t seat) {
  return SeatPrefix(concert) + participant::SortableNumber(seat);
}

// A seat without a row was never taken.
v1::Seat AvailableSeat(const std::string& concert_id, int32_t seat) {
  v1::Seat available;
  available.set_concert_id(concert_id);
  available.set_seat(seat);
  available.set_status(v1::SEAT_STATUS_AVAILABLE);
  return available;
}

void PutSeat(WriteView& view, const v1::Reservation& reservation, v1::SeatStatus status) {
  v1::Seat seat = AvailableSeat(reservation.concert_id(), reservation.seat());
  if (status != v1::SEAT_STATUS_AVAILABLE) {
    seat.set_status(status);
    seat.set_reservation_id(reservation.reservation_id());
    seat.set_user_id(reservation.user_id());
  }
  PutMessage(view, SeatKey(reservation.concert_id(), reservation.seat()), seat);
}

absl::StatusOr<v1::Concert> LoadConcert(const ReadView& view, const std::string& concert_id) {
  if (absl::Status status = CheckId("concert_id", concert_id); !status.ok()) return status;
  absl::StatusOr<std::optional<v1::Concert>> concert = GetMessage<v1::Concert>(view, ConcertKey(concert_id));
  if (!concert.ok()) return concert.status();
  if (!concert->has_value()) return absl::NotFoundError(absl::StrCat("there is no concert ", concert_id));
  return **std::move(concert);
}

// OK when the seat exists and is nobody's.
absl::Status CheckAvailable(const ReadView& view, const v1::HoldRequest& request) {
  absl::StatusOr<v1::Concert> concert = LoadConcert(view, request.concert_id());
  if (!concert.ok()) return concert.status();
  if (request.seat() < 1 || request.seat() > concert->seat_count()) {
    return absl::OutOfRangeError(
        absl::StrCat("seat: concert ", request.concert_id(), " has seats 1 to ", concert->seat_count()));
  }
  absl::StatusOr<std::optional<v1::Seat>> seat =
      GetMessage<v1::Seat>(view, SeatKey(request.concert_id(), request.seat()));
  if (!seat.ok()) return seat.status();
  if (seat->has_value() && (*seat)->status() != v1::SEAT_STATUS_AVAILABLE) {
    return absl::FailedPreconditionError(
        absl::StrCat("seat ", request.seat(), " of concert ", request.concert_id(), " is taken"));
  }
  return absl::OkStatus();
}

// Taken seats of a page, by number.
absl::StatusOr<std::map<int32_t, v1::Seat>> TakenSeats(const ReadView& view, const std::string& concert_id,
                                                       int64_t first, int64_t last) {
  std::map<int32_t, v1::Seat> taken;
  bool damaged = false;
  const absl::Status status =
      view.Scan(SeatPrefix(concert_id), SeatKey(concert_id, first), [&](absl::string_view, absl::string_view value) {
        v1::Seat seat;
        damaged = !seat.ParseFromArray(value.data(), static_cast<int>(value.size()));
        if (damaged || seat.seat() > last) return false;
        const int32_t number = seat.seat();
        taken.emplace(number, std::move(seat));
        return true;
      });
  if (!status.ok()) return status;
  if (damaged) return absl::DataLossError(absl::StrCat("a seat of concert ", concert_id, " is damaged"));
  return taken;
}

}  // namespace

absl::StatusOr<v1::Concert> CreateConcert(WriteView& view, const v1::CreateConcertRequest& request) {
  if (absl::Status status = participant::CheckPositive("seat_count", request.seat_count()); !status.ok()) return status;
  absl::StatusOr<v1::Concert> earlier = LoadConcert(view, request.concert_id());
  if (earlier.ok() && earlier->seat_count() != request.seat_count()) {
    return absl::AlreadyExistsError(
        absl::StrCat("concert ", request.concert_id(), " has ", earlier->seat_count(), " seats"));
  }
  if (earlier.ok() || !absl::IsNotFound(earlier.status())) return earlier;
  v1::Concert concert;
  concert.set_concert_id(request.concert_id());
  concert.set_seat_count(request.seat_count());
  PutMessage(view, ConcertKey(request.concert_id()), concert);
  return concert;
}

absl::StatusOr<v1::Reservation> Hold(WriteView& view, const v1::HoldRequest& request, int64_t now_ms) {
  if (absl::Status status = CheckId("user_id", request.user_id()); !status.ok()) return status;
  absl::StatusOr<v1::Reservation> earlier = GetReservation(view, request.reservation_id());
  if (earlier.ok() && (earlier->concert_id() != request.concert_id() || earlier->seat() != request.seat() ||
                       earlier->user_id() != request.user_id())) {
    return absl::AlreadyExistsError(absl::StrCat("reservation ", request.reservation_id(), " is for seat ",
                                                 earlier->seat(), " of concert ", earlier->concert_id(), " and user ",
                                                 earlier->user_id()));
  }
  if (earlier.ok() || !absl::IsNotFound(earlier.status())) return earlier;
  if (absl::Status status = CheckAvailable(view, request); !status.ok()) return status;
  v1::Reservation reservation;
  reservation.set_reservation_id(request.reservation_id());
  reservation.set_concert_id(request.concert_id());
  reservation.set_seat(request.seat());
  reservation.set_user_id(request.user_id());
  reservation.set_status(v1::RESERVATION_STATUS_HELD);
  *reservation.mutable_hold_time() = participant::ToTimestamp(now_ms);
  PutMessage(view, ReservationKey(request.reservation_id()), reservation);
  PutSeat(view, reservation, v1::SEAT_STATUS_HELD);
  return reservation;
}

absl::StatusOr<v1::Reservation> Confirm(WriteView& view, const v1::ConfirmRequest& request, absl::string_view saga_id,
                                        int64_t now_ms) {
  if (absl::Status status = CheckId("payment_id", request.payment_id()); !status.ok()) return FinalRefusal(status);
  absl::StatusOr<v1::Reservation> reservation = GetReservation(view, request.reservation_id());
  if (absl::IsNotFound(reservation.status()) || absl::IsInvalidArgument(reservation.status())) {
    return FinalRefusal(reservation.status());
  }
  if (!reservation.ok()) return reservation;
  if (reservation->status() != v1::RESERVATION_STATUS_HELD) {
    return FinalRefusal(absl::FailedPreconditionError(absl::StrCat("reservation ", request.reservation_id(), " is ",
                                                                   v1::ReservationStatus_Name(reservation->status()),
                                                                   "; only a held one can be confirmed")));
  }
  reservation->set_status(v1::RESERVATION_STATUS_CONFIRMED);
  reservation->set_payment_id(request.payment_id());
  reservation->set_saga_id(std::string(saga_id));
  *reservation->mutable_confirm_time() = participant::ToTimestamp(now_ms);
  PutMessage(view, ReservationKey(request.reservation_id()), *reservation);
  PutSeat(view, *reservation, v1::SEAT_STATUS_CONFIRMED);
  return reservation;
}

absl::StatusOr<v1::Reservation> CancelConfirmation(WriteView& view, absl::string_view reservation_id, int64_t now_ms) {
  absl::StatusOr<v1::Reservation> reservation = GetReservation(view, reservation_id);
  if (!reservation.ok() || reservation->status() != v1::RESERVATION_STATUS_CONFIRMED) {
    return absl::InternalError(absl::StrCat("reservation ", reservation_id, " is not confirmed: cannot be undone"));
  }
  reservation->set_status(v1::RESERVATION_STATUS_CANCELLED);
  *reservation->mutable_cancel_time() = participant::ToTimestamp(now_ms);
  PutMessage(view, ReservationKey(reservation_id), *reservation);
  PutSeat(view, *reservation, v1::SEAT_STATUS_AVAILABLE);
  return reservation;
}

absl::StatusOr<v1::Reservation> GetReservation(const ReadView& view, absl::string_view reservation_id) {
  if (absl::Status status = CheckId("reservation_id", reservation_id); !status.ok()) return status;
  absl::StatusOr<std::optional<v1::Reservation>> found =
      GetMessage<v1::Reservation>(view, ReservationKey(reservation_id));
  if (!found.ok()) return found.status();
  if (!found->has_value()) return absl::NotFoundError(absl::StrCat("there is no reservation ", reservation_id));
  return **std::move(found);
}

absl::StatusOr<v1::ListSeatsResponse> ListSeats(const ReadView& view, const v1::ListSeatsRequest& request) {
  absl::StatusOr<v1::Concert> concert = LoadConcert(view, request.concert_id());
  if (!concert.ok()) return concert.status();
  absl::StatusOr<int> page_size = participant::PageSize(request.page_size());
  if (!page_size.ok()) return page_size.status();
  absl::StatusOr<int64_t> first = participant::FromPageToken(request.page_token());
  if (!first.ok()) return first.status();
  v1::ListSeatsResponse response;
  if (*first > concert->seat_count()) return response;
  const int64_t last = std::min<int64_t>(concert->seat_count(), *first + *page_size - 1);
  absl::StatusOr<std::map<int32_t, v1::Seat>> taken = TakenSeats(view, request.concert_id(), *first, last);
  if (!taken.ok()) return taken.status();
  for (int64_t number = *first; number <= last; ++number) {
    const auto found = taken->find(static_cast<int32_t>(number));
    *response.add_seats() =
        found != taken->end() ? found->second : AvailableSeat(request.concert_id(), static_cast<int32_t>(number));
  }
  if (last < concert->seat_count()) response.set_next_page_token(participant::ToPageToken(last + 1));
  return response;
}

}  // namespace tutti::reservation
