"""The anatomy: implicit surfaces of each structure at end-diastole, and the motion that carries them."""
