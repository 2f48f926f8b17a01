#include "participants/payment/payment_service.h"
#include "participants/sdk/participant_server.h"

int main(int argc, char** argv) {
  return tutti::participant::ParticipantMain(argc, argv, tutti::payment::PaymentSpec());
}
