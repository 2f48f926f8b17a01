#include "participants/sdk/participant_server.h"
#include "participants/token/token_service.h"

int main(int argc, char** argv) {
  return tutti::participant::ParticipantMain(argc, argv, tutti::token::TokenSpec());
}
