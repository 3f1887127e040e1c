"""What MedFlow relies on in other packages without a promise of theirs."""
