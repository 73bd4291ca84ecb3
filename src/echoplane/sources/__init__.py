"""Bytes to Cine: DICOM, video, images, frame folders, volumes; lazy, colour as the header says."""
