package redteam

// What is made against the vault and on the network, where there is one install.
var vaultMoves = []moves{
	certificateMoves, replacedMoves, loginMoves, replayMoves, maliciousMoves,
	strangerMoves, limitMoves, turnMoves, sealedMoves, chatMoves,
	approvalMoves, accountMoves,
	fileMoves, rowMoves, trailMoves, backupMoves, journalMoves, clockMoves, rootMoves, diskMoves,
	trustMoves, toldMoves, outageMoves, awayMoves, otherServerMoves,
}
