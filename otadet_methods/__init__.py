"""Methods of the comparison that OTA and SimOTA do not need, and Faster R-CNN.

Examples of how a method from outside plugs into otadet: an assigner, a criterion, and where the
network is another, a subclass of :class:`otadet.exp.methods.Method`. ``otadet`` knows them by
dotted paths alone and imports them when an experiment asks for one.
"""
