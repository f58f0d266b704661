/** Why a command is not run here at all: trying again would not help. */
export class CommandRefused extends Error {}
