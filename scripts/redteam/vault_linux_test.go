package redteam

// What is made against the vault and on the network, where there is one install.
var vaultMoves = []moves{approvalMoves, accountMoves, fileMoves, rowMoves, trailMoves, replayMoves, certificateMoves, loginMoves, maliciousMoves, strangerMoves, limitMoves, chatMoves, turnMoves, clockMoves, rootMoves, diskMoves, trustMoves}
