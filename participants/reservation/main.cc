#include "participants/reservation/reservation_service.h"
#include "participants/sdk/participant_server.h"

int main(int argc, char** argv) {
  return tutti::participant::ParticipantMain(argc, argv, tutti::reservation::ReservationSpec());
}
