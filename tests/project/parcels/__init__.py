"""A small planted project: how likely is a parcel to be late?"""
