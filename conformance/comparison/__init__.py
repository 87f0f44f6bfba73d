"""What two runs say differently: their verdicts, and the manner in which their targets answered."""
